import { setTimeout as delay } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { redisBroker } from 'koa-event-stream/redis'
import { PATIENT } from '../support/progress.ts'
import { startRedis, type RedisServer } from '../support/redis-server.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'
import { openSite } from './site.ts'

let server: RedisServer
let logs = 0
test.before(async () => {
  server = await startRedis()
})
test.after.always(() => server.stop())

/** Two instances on one log; the first one reaches it by another address, if one is given. */
async function openSites(t: ExecutionContext, url = server.url, patience: object = PATIENT) {
  const name = `kit-${(logs += 1)}`
  const open = (client: string) => openSite(t, { broker: redisBroker({ ...patience, client, name }) })
  return { one: await open(url), other: await open(server.url) }
}

test('a fence is one for what other instances have published, however late it comes here', async t => {
  const proxy = await openTcpProxy(server.port, t)
  const { one, other } = await openSites(t, proxy.url.replace('http', 'redis'), {
    ...PATIENT,
    watchdog: PATIENT.timeout,
  })
  const ada = await one.site.open('/events', { as: { id: 'ada' } })
  await ada.settled()
  proxy.hold()
  await other.hub.publish('news', { event: 'note', data: 'late' })
  const settled = ada.settled().then(() => ada.events.map(({ data }) => data))
  const first = await Promise.race([settled, delay(300, 'not yet')])
  t.is(first, 'not yet', 'nobody can tell while nothing comes from Redis')
  proxy.mend()
  t.deepEqual(await settled, ['late'])
})

test('a fence is one while what was missed is put in order after an outage', async t => {
  const proxy = await openTcpProxy(server.port, t)
  const { one, other } = await openSites(t, proxy.url.replace('http', 'redis'))
  one.hub.on('lost', () => undefined)
  const ada = await one.site.open('/events', { as: { id: 'ada' } })
  for (let round = 0; round < 5; round += 1) {
    const back = new Promise(resolve => one.hub.once('lost', () => one.hub.once('ready', () => resolve(undefined))))
    proxy.cut()
    await other.hub.publish('news', { event: 'order.created', data: { total: round } })
    await new Promise(resolve => setImmediate(resolve))
    proxy.mend()
    await back
    await ada.settled()
    t.deepEqual(
      ada.events.map(({ data }) => data),
      Array.from({ length: round + 1 }, (_, total) => ({ total })),
    )
  }
  t.deepEqual(ada.gaps, [])
})

test('history is trimmed on all instances, those included that have the topic', async t => {
  const { one, other } = await openSites(t)
  const [missing, present] = [await one.site.open('/public'), await other.site.open('/public')]
  await missing.cut()
  await one.hub.publish('news', { event: 'note', data: 'lost' })
  await one.site.trim('news')
  await one.hub.publish('news', { event: 'note', data: 'kept' })
  await missing.resume()
  t.deepEqual(missing.gaps, [{ topics: ['news'], reason: 'trimmed' }])
  t.is((await missing.next('note')).data, 'kept')
  await present.settled()
  t.deepEqual([present.events.map(({ data }) => data), present.gaps], [['lost', 'kept'], []])
  const { cursor } = missing
  await other.site.trim('news')
  for (const { site } of [one, other]) {
    t.deepEqual((await site.open('/public', { lastEventId: cursor })).gaps, [], 'it had all of them')
  }
})

test('a log is lost on all instances', async t => {
  const { one, other } = await openSites(t)
  const here = await one.site.open('/public')
  const there = await other.site.open('/public')
  const missing = await one.site.open('/public')
  await one.hub.publish('news', { event: 'note', data: 'before' })
  for (const stream of [here, there, missing]) await stream.settled()
  await missing.cut()
  await one.site.lose()
  await other.hub.publish('news', { event: 'note', data: 'after' })
  await missing.resume()
  for (const stream of [here, there, missing]) {
    await stream.settled()
    t.deepEqual(stream.gaps, [{ topics: ['news'], reason: 'epoch' }])
    t.is(stream.events[0]?.data, 'before')
  }
  for (const stream of [here, there]) t.is(stream.events[1]?.data, 'after')
})
