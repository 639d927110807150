import test from 'ava'
import { createIdentity, type Identity } from 'koa-event-stream'
import { frozenIdentity } from '../../lib/auth/identity.ts'
import { byName, openEndpoint } from '../koa/endpoint.ts'

/** An authenticator as an application without a compiler may write it. */
const answering = (answer: unknown) => ({ ...byName, authenticate: () => answer as Identity })

for (const answer of [undefined, null, false, '', 0]) {
  test(`an authenticator that answers ${JSON.stringify(answer)} has found nobody`, async t => {
    const { open, story } = await openEndpoint(t, { authenticate: answering(answer) })
    t.is((await open()).status, 401)
    t.deepEqual(story, ['refuse unauthenticated 401'])
  })
}

const wrong: [field: RegExp, answer: unknown][] = [
  [/`id`/, true],
  [/`id`/, {}],
  [/`id`/, { id: '', scheme: 'x' }],
  [/`id`/, { id: 5, scheme: 'x' }],
  [/`session`/, { id: 'ann', scheme: 'x', session: 7 }],
  [/`token`/, { id: 'ann', scheme: 'x', token: '' }],
  [/`expiresAt`/, { id: 'ann', scheme: 'x', expiresAt: NaN }],
  [/`expiresAt`/, { id: 'ann', scheme: 'x', expiresAt: '2026-01-01' }],
]

for (const [field, answer] of wrong) {
  test(`what is no identity opens no stream: ${JSON.stringify(answer)}`, async t => {
    const { open, errors, story } = await openEndpoint(t, { authenticate: answering(answer) }, { expectsErrors: true })
    t.is((await open()).status, 500)
    t.regex(String(errors[0]), field)
    t.deepEqual(story, ['refuse unavailable 500'])
  })

  test(`what is no identity is not made one: ${JSON.stringify(answer)}`, t => {
    t.throws(() => createIdentity(answer as Identity), { instanceOf: TypeError, message: field })
  })
}

test('an identity that somebody else has frozen is copied, so that its session does not show', t => {
  const made = frozenIdentity({ id: 'ada', scheme: 'session', session: 'key' })
  t.is(frozenIdentity(made), made)
  const frozen = frozenIdentity(Object.freeze({ id: 'ada', scheme: 'session', session: 'key' }))
  t.is(frozen.session, 'key')
  t.false(JSON.stringify(frozen).includes('key'))
})
