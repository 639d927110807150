import test from 'ava'
import { eventually } from '../support/eventually.ts'
import type { ReceivedStream } from '../support/http.ts'
import { startRedis } from '../support/redis-server.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { callsOf, connectAdmin, isCursor, openEngine, openInstance, publish, until, untilRedis } from './instance.ts'

const CLIENTS = Number(process.env.STORM_CLIENTS ?? 2_000)
const WAITING = 500
const TOPICS = ['a', 'b', 'c']

// One after another: each is a load of its own.
test.serial('clients that come back all at once cause one read of history a topic, and miss nothing', async t => {
  const server = await startRedis(t)
  const admin = connectAdmin(t, server)
  // What looks whether all is well runs scripts, too.
  const options = { client: server.url, watchdog: 600_000 }
  const { broker } = await openEngine(t, options)
  const cursors = await publish(broker, 'a', 'seen', 'seen too')
  const texts = Array.from({ length: 30 }, (_, n) => String(n))
  for (const [n, text] of texts.entries()) await publish(broker, TOPICS[n % 3] ?? '', text)
  const instance = await openInstance(t, options)
  await instance.tells('ready')
  const scriptsOf = async () => (await callsOf(admin, 'evalsha')) + (await callsOf(admin, 'eval'))
  const [reads, scripts] = [await callsOf(admin, 'xrange'), await scriptsOf()]
  const streams: ReceivedStream[] = []
  // As many at once as the system lets wait to be accepted.
  while (streams.length < CLIENTS) {
    const some = Array.from({ length: Math.min(WAITING, CLIENTS - streams.length) }, (_, n) =>
      instance.open(TOPICS, cursors[n % cursors.length]),
    )
    streams.push(...(await Promise.all(some)))
  }
  for (const [n, stream] of streams.entries()) {
    await stream.next(isCursor)
    const got = stream.received.filter(({ event }) => event === 'message' || event === 'gap').map(({ data }) => data)
    const expected = [...(n % 2 === 0 ? ['seen too'] : []), ...texts].join()
    if (got.join() !== expected) t.fail(`a client got ${got.join()}`)
  }
  t.is(instance.hub.stats().streams, CLIENTS)
  t.true((await callsOf(admin, 'xrange')) - reads <= TOPICS.length)
  // Once for the last events of all topics, once for the history of each, and a few that the instance runs of its own accord.
  t.true((await scriptsOf()) - scripts < CLIENTS / 100)
  await publish(broker, 'c', 'live')
  for (const stream of streams) await stream.next(({ data }) => data === 'live')
})

test.serial('a topic is listened to while somebody has it, and for a while after', async t => {
  const server = await startRedis(t)
  const admin = connectAdmin(t, server)
  const clock = new ManualClock()
  const { broker, recorder } = await openEngine(t, { client: server.url, clock }, ['left', 'kept', 'taken again'])
  const channels = async () => ((await admin.pubsub('CHANNELS', '{events}:topic:*')) as string[]).toSorted()
  broker.unsubscribe('left')
  broker.unsubscribe('taken again')
  clock.advance(5_000)
  t.is((await channels()).length, 3)
  await broker.subscribe('taken again')
  clock.advance(5_000)
  const left = async () => ((await channels()).length === 2 ? channels() : undefined)
  t.deepEqual(await untilRedis(left, 'nothing was unsubscribed'), ['{events}:topic:kept', '{events}:topic:taken again'])
  const ids = await publish(broker, 'left', 'x')
  ids.push(...(await publish(broker, 'taken again', 'y')), ...(await publish(broker, 'kept', 'z')))
  t.deepEqual(await recorder.until(ids[2] ?? ''), ids.slice(1))
  await broker.subscribe('left')
  const again = await publish(broker, 'left', 'again')
  t.deepEqual(await recorder.until(again[0] ?? ''), [...ids.slice(1), ...again])
  t.deepEqual(recorder.gaps, [])
  await broker.load(['left'], 0)
  t.is(broker.read('left', 0, 10).events.length, 2)
})

test.serial('so many topics are left at once that no one command could name them', async t => {
  const server = await startRedis(t)
  const admin = connectAdmin(t, server)
  const clock = new ManualClock()
  const { broker, recorder } = await openEngine(t, { client: server.url, clock })
  const topics = Array.from({ length: 130_000 }, (_, n) => `user:${n}`)
  await Promise.all(topics.map(async topic => broker.subscribe(topic)))
  for (const topic of topics.slice(1)) broker.unsubscribe(topic)
  clock.advance(10_000)
  await untilRedis(
    async () => (await admin.pubsub('CHANNELS', '{events}:topic:*')).length === 1 || undefined,
    'channels are left',
  )
  const ids = await publish(broker, topics[0] ?? '', 'x')
  t.deepEqual(await recorder.until(ids[0] ?? ''), ids)
})

test.serial('streams that come and go while the way to Redis is broken leave nothing behind', async t => {
  const server = await startRedis(t)
  const admin = connectAdmin(t, server)
  const instance = await openInstance(t, { client: server.url })
  for (let round = 0; round < 20; round += 1) {
    const opening = Array.from({ length: 10 }, (_, n) => instance.open([`${round % 3}-${n}`, 'a']))
    if (round % 5 === 0) await admin.client('KILL', 'TYPE', 'PUBSUB')
    for (const stream of await Promise.all(opening)) stream.close()
  }
  // Nobody has the topic now: until the log's end is known again, newcomers are turned away.
  await eventually(
    () => instance.hub.ready,
    () => 'the hub did not become ready again',
  )
  const stream = await instance.open(['a'])
  await instance.hub.publish('a', { data: 'end' })
  t.deepEqual(await until(stream, 'end'), ['end'])
  await untilRedis(
    async () => (instance.hub.stats().streams === 1 && instance.hub.stats().topics === 1) || undefined,
    'a stream or a topic is left',
  )
})
