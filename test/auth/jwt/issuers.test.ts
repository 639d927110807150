import test, { type ExecutionContext } from 'ava'
import Koa from 'koa'
import { bearerToken, createHub, eventStream, queryToken } from 'koa-event-stream'
import { serve } from '../../support/http.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { KeyServer } from '../keys/key-server.ts'
import { readAnswer, whoAmI } from '../who-am-i.ts'
import { INVALID_TOKEN } from './endpoint.ts'
import { claims, EC256, forge, issue, OTHER_RSA, RSA, SECRET } from './keys.ts'

const BANK = 'https://bank.example'
const PARTNER = 'https://partner.example'

async function openForTwo(t: ExecutionContext) {
  const clock = new ManualClock()
  const partner = new KeyServer({ shared: OTHER_RSA.publicKey })
  const authenticator = bearerToken({
    issuers: {
      [BANK]: { keys: { shared: RSA.publicKey }, algorithms: ['RS256'], audience: 'events' },
      [PARTNER]: { keys: partner.fetchAll, algorithms: ['RS256', 'ES256'], audience: ['a', 'b'] },
    },
    clock,
  })
  const { url } = await serve(new Koa().use(whoAmI(authenticator)), t)
  const send = async (iss: unknown, aud: string, key = RSA) => {
    const token = issue(claims(clock.now(), { iss, aud }), 'RS256', key.privateKey, { kid: 'shared' })
    return readAnswer(await fetch(url, { headers: { authorization: `Bearer ${token}` } }))
  }
  return { send, partner, clock, url }
}

test('each issuer has its own keys and audience', async t => {
  const { send } = await openForTwo(t)
  t.is((await send(BANK, 'events')).identity?.claims?.iss, BANK)
  t.is((await send(PARTNER, 'b', OTHER_RSA)).status, 200)
  t.like(await send(BANK, 'b'), INVALID_TOKEN, 'the audience of the other')
  t.like(await send(PARTNER, 'events', OTHER_RSA), INVALID_TOKEN, 'the audience of the other')
})

test('a token that is signed with the key of another issuer is refused', async t => {
  const { send } = await openForTwo(t)
  t.like(await send(BANK, 'events', OTHER_RSA), INVALID_TOKEN)
  t.like(await send(PARTNER, 'a', RSA), INVALID_TOKEN)
})

test('an issuer that is not listed is refused, and nobody is asked for its keys', async t => {
  const { send, partner } = await openForTwo(t)
  for (const iss of [`${BANK}/`, 'HTTPS://BANK.EXAMPLE', '__proto__', 'constructor', 'toString']) {
    t.like(await send(iss, 'events'), INVALID_TOKEN, iss)
  }
  t.is(partner.asked, 0)
})

test('an issuer that is no string is none', async t => {
  const { url, clock } = await openForTwo(t)
  for (const iss of [undefined, null, 1, [BANK], { [BANK]: 1 }]) {
    const token = forge({ alg: 'RS256', kid: 'shared' }, claims(clock.now(), { iss, aud: 'events' }), RSA.privateKey)
    const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } })
    t.is(response.status, 401, JSON.stringify(iss))
  }
})

test('each issuer has its own algorithms', async t => {
  const { url, clock } = await openForTwo(t)
  const token = issue(claims(clock.now(), { iss: BANK, aud: 'events' }), 'ES256', EC256.privateKey, { kid: 'shared' })
  t.is((await fetch(url, { headers: { authorization: `Bearer ${token}` } })).status, 401)
})

const issuer = { key: SECRET, algorithms: ['HS256'], audience: 'events' }

for (const [name, options] of Object.entries({
  issuers: { issuers: {} },
  '`issuers`': { issuers: [issuer] },
  '`algorithms`': { issuers: { a: issuer }, algorithms: ['HS256'] },
  '`key`': { issuers: { a: issuer }, key: SECRET },
  '`issuer`': { issuers: { a: issuer }, issuer: 'a' },
  "`issuers['a']`": { issuers: { a: { ...issuer, audience: undefined } } },
  "issuers['b']` has no option `scope`": { issuers: { a: issuer, b: { ...issuer, scope: 'x' } } },
  "`issuers['b']`: `key` must": { issuers: { a: issuer, b: { ...issuer, key: 'short' } } },
})) {
  test(`a wrong option of issuers is named: ${name}`, t => {
    for (const make of [bearerToken, queryToken]) {
      const error = t.throws(() => make(options as never), { instanceOf: TypeError })
      t.true(error.message.includes(name), error.message)
      t.false(error.message.includes('short'))
    }
  })
}

test('two bearerToken()s in a list are refused, since the second would never be asked', t => {
  const bearer = () => bearerToken({ key: SECRET, algorithms: ['HS256'], issuer: 'a', audience: false })
  const fromCookie = bearerToken({
    key: SECRET,
    algorithms: ['HS256'],
    issuer: 'a',
    audience: false,
    tokenFrom: ctx => ctx.cookies.get('token'),
  })
  const mount = (authenticate: ReturnType<typeof bearerToken>[]) =>
    eventStream({ hub: createHub(), authenticate, subscribe: () => 'news' })
  t.throws(() => mount([bearer(), bearer()]), { instanceOf: TypeError, message: /`authenticate`.*`issuers`/ })
  t.notThrows(() => mount([bearer(), fromCookie]))
})
