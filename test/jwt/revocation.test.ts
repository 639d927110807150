import test, { type ExecutionContext } from 'ava'
import { memoryBroker } from 'koa-event-stream'
import { ManualClock } from '../support/manual-clock.ts'
import { Pause } from '../support/pause.ts'
import { openApi } from './api.ts'

const INVALID = 'Bearer realm="events", error="invalid_token", error_description="The access token is not valid here"'

/** Another process, and a broker that shares its memory but does not hear its announcements. */
async function openElsewhere(t: ExecutionContext) {
  const clock = new ManualClock()
  const remote = memoryBroker({ clock })
  const broker = Object.assign(memoryBroker({ clock }), { store: remote.store })
  return { ...(await openApi(t, { clock, broker: remote })), broker }
}

test('revoking a token closes its streams, in every application of the hub, and no other', async t => {
  const one = await openApi(t)
  const two = await openApi(t, one)
  const token = one.token({ jti: 'lost' })
  const lost = [await one.open(token), await two.open(token)]
  const kept = await one.open(one.token({ jti: 'kept' }))
  const expiry = one.clock.now() + 60_000
  await one.hub.revoke('lost', expiry)
  for (const stream of lost) t.is(await stream.closed, 'end')
  t.deepEqual(
    one.closes.map(({ reason }) => reason),
    ['revoked', 'revoked'],
  )
  await one.hub.publish('news', { data: 'still here' })
  t.like(await kept.next(({ event }) => event === 'message'), { data: 'still here' })
})

test('a revoked token gets 401 before the resolver is asked, until it would have expired anyway', async t => {
  let asked = 0
  const subscribe = () => {
    asked += 1
    return 'news'
  }
  const { hub, open, token, clock, refusals } = await openApi(t, { stream: { subscribe } })
  await hub.revoke('lost', new Date(clock.now() + 60_000))
  const refused = await open(token({ jti: 'lost' }))
  t.is(refused.status, 401)
  t.is(refused.headers['www-authenticate'], INVALID)
  t.is(asked, 0)
  t.like(refusals, [{ reason: 'unauthenticated', status: 401 }])
  clock.advance(59_999)
  t.is((await open(token({ jti: 'lost' }))).status, 401)
  clock.advance(1)
  t.is((await open(token({ jti: 'lost' }))).status, 200, 'the name is free again')
})

test('a token that is revoked while the resolver is slow opens no stream', async t => {
  const pause = new Pause()
  const subscribe = async () => {
    await pause.wait()
    return 'news'
  }
  const { hub, open, token, clock } = await openApi(t, { stream: { subscribe } })
  const request = open(token({ jti: 'lost' }))
  await pause.reached
  await hub.revoke('lost', clock.now() + 60_000)
  pause.end()
  const refused = await request
  t.is(refused.status, 401)
  t.is(refused.headers['www-authenticate'], INVALID)
  t.like(hub.stats(), { streams: 0, opened: 0 })
})

test('so does one whose revocation is remembered, though nobody has announced it here yet', async t => {
  const { clock, hub: elsewhere, token, broker } = await openElsewhere(t)
  const pause = new Pause()
  const subscribe = async () => {
    await pause.wait()
    return 'news'
  }
  const { open, hub } = await openApi(t, { clock, broker, stream: { subscribe } })
  const request = open(token({ jti: 'lost' }))
  await pause.reached
  await elsewhere.revoke('lost', clock.now() + 60_000)
  pause.end()
  t.is((await request).status, 401)
  t.like(hub.stats(), { streams: 0, opened: 0 })
})

test('where nobody can tell whether a token was revoked, it is 503', async t => {
  const broker = memoryBroker()
  broker.store.get = () => Promise.reject(new Error('connection refused'))
  const { open, token, refusals, hub } = await openApi(t, { broker })
  const refused = await open(token({ jti: 'unknown' }))
  t.is(refused.status, 503)
  t.is(refused.headers['www-authenticate'], undefined)
  t.like(refusals, [
    { reason: 'unavailable', error: { cause: { code: 'ERR_BROKER', cause: { message: 'connection refused' } } } },
  ])
  t.is(hub.stats().streams, 0)
  t.is((await open(token())).status, 200, 'without a name it cannot be revoked')
})
