import { setTimeout as pause } from 'node:timers/promises'
import test from 'ava'
import type { Redis } from 'ioredis'
import { EventStreamError } from '../../lib/errors.ts'
import { eventually } from '../support/eventually.ts'
import { ioredisVersions } from '../support/ioredis-versions.ts'
import { ModelClient } from '../support/model-client.ts'
import { ModelLog } from '../support/model-log.ts'
import { complaintsOf } from '../support/oracle.ts'
import { startRedis } from '../support/redis-server.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'
import { connectAdmin, isCursor, openEngine, openInstance, publish, until } from './instance.ts'
import { openRedisProxy, type RedisProxy } from './redis-proxy.ts'

// Each wait for a frozen Redis is as long as that, and no machine is so busy that Redis would seem frozen.
const TIMES = { timeout: 5_000, watchdog: 200 }
const KEPT = 1_000

/** Ways of losing connections while events are published. */
const CUTS: Record<string, (admin: Redis, proxy: RedisProxy) => unknown> = {
  'subscribers are killed': admin => admin.client('KILL', 'TYPE', 'PUBSUB'),
  'all connections are cut': (_admin, proxy) => {
    proxy.cut()
    setImmediate(proxy.mend)
  },
  'what Redis sends is ended': (_admin, proxy) => {
    proxy.halfClose()
  },
  'connections are forgotten in between': (_admin, proxy) => {
    proxy.forget()
  },
}

for (const [what, cut] of Object.entries(CUTS)) {
  test(`${what} while publishing: each event comes once, in order, without a gap`, async t => {
    const server = await startRedis(t)
    const proxy = await openRedisProxy(server.port, t)
    const admin = connectAdmin(t, server)
    const instances = [
      await openInstance(t, { ...TIMES, client: proxy.url }),
      await openInstance(t, { ...TIMES, client: proxy.url }),
    ]
    const publisher = await openInstance(t, { client: server.url })
    const log = new ModelLog()
    const clients = instances.flatMap(({ url }) =>
      [['a'], ['a', 'b'], ['b', 'c']].map(topics => new ModelClient({ topics, log, server: () => url })),
    )
    for (const client of clients) client.connect()
    await eventually(
      () => clients.every(({ start }) => start < Infinity),
      () => 'not all clients have begun',
    )
    let last: number | undefined
    for (let round = 0; round < 60; round += 1) {
      if (round % 20 === 10) await cut(admin, proxy)
      for (const topics of [['a'], ['b', 'c'], ['a', 'b', 'c'], ['c']]) last = await log.say(publisher.hub, topics)
    }
    await eventually(
      () => instances.every(({ hub }) => hub.ready),
      () => 'an instance is not ready',
    )
    last = await log.say(publisher.hub, ['a', 'b'])
    await Promise.all(clients.map(client => client.reaches(last ?? Infinity)))
    for (const client of clients) {
      client.leave()
      t.deepEqual(complaintsOf(client, log, KEPT), [])
      t.deepEqual(client.gaps, [])
      t.true(client.received.size > 100)
    }
    if (what !== 'subscribers are killed') return
    for (const { told } of instances) t.true(told.some(({ name }) => name === 'lost'))
  })
}

test('a subscription that is ended together with its confirmation is made anew', async t => {
  const server = await startRedis(t)
  const proxy = await openRedisProxy(server.port, t)
  // As a node of a Cluster does that gives a slot away: an answer to nothing.
  proxy.slipBehind('subscribe', '-MOVED 1 127.0.0.1:1\r\n')
  const { broker, recorder } = await openEngine(t, { ...TIMES, client: proxy.url }, ['news'])
  const [id = ''] = await publish(broker, 'news', 'heard')
  t.deepEqual(await recorder.until(id), [id])
})

for (const [version, { Redis }] of ioredisVersions) {
  test(`a node that ends a subscription unasked is left at once, before the watchdog looks (${version})`, async t => {
    const server = await startRedis(t)
    const proxy = await openRedisProxy(server.port, t)
    const client = new Redis(proxy.url, { lazyConnect: true })
    const instance = await openInstance(t, { timeout: 5_000, watchdog: 600_000, client })
    const stream = await instance.open(['news'])
    await stream.next(isCursor)
    // As a node of a Cluster does that gives a slot away. ioredis 6 speaks RESP3, which has a sign of its own for it.
    const sign = version === 'ioredis 5' ? '*' : '>'
    proxy.slipBehind('given away', `${sign}3\r\n$12\r\nsunsubscribe\r\n$4\r\nnews\r\n:0\r\n`)
    await instance.hub.publish('news', { data: 'given away' })
    await instance.tells('lost')
    await instance.tells('ready', 2)
    await instance.hub.publish('news', { data: 'after' })
    t.deepEqual(await until(stream, 'after'), ['given away', 'after'])
  })

  test(`a frozen Redis: publishing rejects, the instance says so, and all is caught up when it goes on (${version})`, async t => {
    const server = await startRedis(t)
    const instance = await openInstance(t, { ...TIMES, client: new Redis(server.url, { lazyConnect: true }) })
    const stream = await instance.open(['a'])
    const before = await instance.hub.publish('a', { data: 'before' })
    await until(stream, 'before')
    server.pause()
    const rejection = { instanceOf: EventStreamError, code: 'ERR_BROKER' }
    await t.throwsAsync(instance.hub.publish('a', { data: 'unheard' }), rejection)
    await instance.tells('lost')
    t.false(instance.hub.ready)
    await t.throwsAsync(instance.hub.publish('a', { data: 'unsent' }), rejection)
    // Where the log stands nobody can tell now. Of a topic that this instance listens to enough is known for anybody.
    const stranger = await instance.open(['elsewhere'])
    t.is((await stranger.next()).event, 'goaway')
    const newcomer = await instance.open(['a'])
    await newcomer.next(isCursor)
    // Somebody who comes back knows: what is here is served, and what is not is fetched later.
    const meanwhile = await instance.open(['a'], before)
    await meanwhile.next(isCursor)
    server.resume()
    await instance.tells('ready', 2)
    await instance.hub.publish('a', { data: 'after' })
    // Redis had got the first of them, and may have carried it out: then it is in history, and everybody gets it.
    const got = await until(stream, 'after')
    t.deepEqual(
      got.filter(text => text !== 'unheard'),
      ['before', 'after'],
    )
    t.true(got.filter(text => text === 'unheard').length <= 1)
    t.deepEqual(await until(meanwhile, 'after'), got.slice(1))
    t.deepEqual(await until(newcomer, 'after'), got.slice(1))
  })
}

test('only the watchdog can tell: an instance that is forgotten by the network catches up', async t => {
  const server = await startRedis(t)
  const proxy = await openRedisProxy(server.port, t)
  const { broker, recorder } = await openEngine(t, { ...TIMES, client: proxy.url }, ['a'])
  const elsewhere = await openEngine(t, { client: server.url })
  proxy.forget()
  const missed = await publish(elsewhere.broker, 'a', '1', '2')
  t.deepEqual(await recorder.until(missed[1] ?? ''), missed)
  t.deepEqual(recorder.gaps, [])
  const [own] = await publish(broker, 'a', '3')
  await recorder.until(own ?? '')
})

test('a subscriber that is kicked for its output buffer catches up', async t => {
  const server = await startRedis(t, { args: ['--client-output-buffer-limit', 'pubsub', '64kb', '0', '0'] })
  const admin = connectAdmin(t, server)
  const proxy = await openRedisProxy(server.port, t)
  const history = { bytes: 2 ** 28 }
  const { recorder } = await openEngine(t, { client: proxy.url, history, watchdog: 60_000 }, ['a'])
  const subscribers = async () => String(await admin.client('LIST', 'TYPE', 'PUBSUB'))
  const [own = ''] = /id=\d+ /.exec(await subscribers()) ?? []
  const elsewhere = await openEngine(t, { client: server.url, history })
  proxy.stall()
  const ids: string[] = []
  // The kernel takes some megabytes before Redis has to keep anything.
  const text = 'x'.repeat(250_000)
  while ((await subscribers()).includes(own)) ids.push(...(await publish(elsewhere.broker, 'a', text)))
  ids.push(...(await publish(elsewhere.broker, 'a', 'last')))
  proxy.flow()
  t.deepEqual(await recorder.until(ids.at(-1) ?? ''), ids)
  t.deepEqual(recorder.gaps, [])
})

test('a connection that is accepted and never answered is left for another one', async t => {
  const server = await startRedis(t)
  const proxy = await openTcpProxy(server.port, t)
  const client = proxy.url.replace('http', 'redis')
  const { broker, recorder } = await openEngine(t, { timeout: 500, watchdog: 100, client })
  proxy.hold()
  await recorder.untilReady(false)
  const error = await t.throwsAsync(publish(broker, 'news', 'late'))
  t.true(error instanceof EventStreamError)
  // By now the connection for commands has been made anew.
  await t.throwsAsync(publish(broker, 'news', 'not sent'))
  proxy.strand()
  proxy.mend()
  await recorder.untilReady()
  await publish(broker, 'news', 'sent')
})

test('a handshake may be slow, as long as something comes in time', async t => {
  const { port } = await startRedis(t)
  const [timeout, delay] = [1_000, 600]
  // The answers to what a connection begins with, as a proxy may hand them on: one by one.
  const handshake = { answers: 2, parts: 4 }
  async function* slowly(chunks: AsyncIterable<Buffer>) {
    let answers = 0
    for await (const chunk of chunks) {
      answers += 1
      const size = Math.ceil(chunk.length / (answers > handshake.answers ? 1 : handshake.parts))
      for (let at = 0; at < chunk.length; at += size) {
        if (size < chunk.length) await pause(delay)
        yield chunk.subarray(at, at + size)
      }
    }
  }
  const proxy = await openTcpProxy(port, t, { answers: slowly })
  const client = `redis://127.0.0.1:${new URL(proxy.url).port}`
  const { broker } = await openEngine(t, { timeout, watchdog: 10_000, client })
  await t.notThrowsAsync(publish(broker, 'news', 'sent'))
})
