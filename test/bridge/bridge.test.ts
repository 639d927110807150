// The bridge from a Redis Stream: the tests share a target that can be down.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { Redis } from 'ioredis'
import { EventStreamError, type EventInput } from 'koa-event-stream'
import {
  bridgeStream,
  createPublisher,
  redisBroker,
  type BridgeOptions,
  type StreamEntry,
} from 'koa-event-stream/redis'
import { Recorder } from '../contract/recorder.ts'
import { Deferred } from '../support/deferred.ts'
import { eventually } from '../support/eventually.ts'
import { PATIENT } from '../support/progress.ts'
import { Progress } from '../support/progress.ts'
import { startCluster } from '../support/redis-cluster.ts'
import { startRedis, type RedisServer } from '../support/redis-server.ts'

const READER = fileURLToPath(new URL('bridge-reader.js', import.meta.url))

/** Somewhere to publish that remembers what it was given, and can be down. */
class Target {
  readonly texts: unknown[] = []
  /** What was asked of it, whether it was up or not. */
  readonly attempts: unknown[] = []
  readonly keys: (string | undefined)[] = []
  fails: (text: unknown) => boolean = () => false
  readonly #progress = new Progress()

  publish = async (
    _topics: string | readonly string[],
    { data }: EventInput,
    options?: { key: string },
  ): Promise<string> => {
    this.attempts.push(data)
    this.keys.push(options?.key)
    await new Promise(setImmediate)
    this.#progress.announce()
    if (this.fails(data)) throw new EventStreamError('ERR_BROKER', 'the target is down')
    this.texts.push(data)
    this.#progress.announce()
    return 'id'
  }

  until(isSo: () => boolean): Promise<true> {
    return this.#progress.until(
      () => isSo() || undefined,
      () => `published: ${String(this.texts)}, tried: ${String(this.attempts)}`,
    )
  }
}

async function openStream(t: ExecutionContext, server?: RedisServer) {
  const redis = server ?? (await startRedis(t))
  const client = new Redis(redis.url)
  client.on('error', () => {})
  t.teardown(() => client.disconnect())
  const target = new Target()
  const errors: unknown[] = []
  const rejected: { entry: StreamEntry; error: unknown }[] = []
  return {
    server: redis,
    client,
    target,
    errors,
    rejected,
    add: async (...texts: string[]) => {
      for (const text of texts) await client.xadd('orders', '*', 'topic', 'news', 'data', text)
    },
    bridge: (options: Partial<BridgeOptions> = {}) => {
      const bridge = bridgeStream({
        client: redis.url,
        stream: 'orders',
        target,
        onError: error => errors.push(error),
        onRejected: (entry, error) => rejected.push({ entry, error }),
        ...options,
      })
      t.teardown(() => bridge.close())
      return bridge
    },
    /** Entries that somebody has read and not acknowledged. */
    pending: async () => Number((await client.xpending('orders', 'koa-event-stream'))[0]),
  }
}

const texts = (count: number, from = 0) => Array.from({ length: count }, (_, n) => String(from + n))

test('what others write is published once, in order, from the beginning of the stream, as it is', async t => {
  const { server, client, add, bridge, pending } = await openStream(t)
  const recorder = new Recorder()
  const broker = redisBroker({ ...PATIENT, client: server.url })
  t.teardown(() => broker.close())
  broker.listen(recorder)
  await broker.subscribe('news')
  const publisher = createPublisher({ ...PATIENT, client: server.url })
  t.teardown(() => publisher.close())
  await add('early')
  const running = bridge({ target: publisher })
  await client.xadd('orders', '*', 'topic', 'news', 'event', 'order', 'data', '{"no":1}')
  await add(...texts(250))
  await eventually(
    () => recorder.heard.length === 252,
    () => `${recorder.heard.length} events`,
  )
  const frames = recorder.heard.map(({ event }) =>
    Buffer.from(event.frame)
      .toString()
      .replace(/^id: .*\n/, ''),
  )
  t.deepEqual(frames.slice(0, 2), ['data: early\n\n', 'event: order\ndata: {"no":1}\n\n'])
  t.deepEqual(
    frames.slice(2),
    texts(250).map(text => `data: ${text}\n\n`),
  )
  await running.close()
  t.is(await pending(), 0)
  t.deepEqual(await client.xinfo('CONSUMERS', 'orders', 'koa-event-stream'), [], 'nothing is left of the reader')
})

test('entries are read as the application says; what is none is passed over', async t => {
  const { target, client, bridge, pending } = await openStream(t)
  const running = bridge({
    read: ({ fields: { user, text = '' } }) =>
      user === undefined ? undefined : { topics: `user:${user}`, event: { data: text } },
  })
  await client.xadd('orders', '*', 'text', 'for nobody')
  await client.xadd('orders', '*', 'user', '1', 'text', 'for somebody')
  await target.until(() => target.texts.length === 1)
  t.deepEqual(target.texts, ['for somebody'])
  await running.close()
  t.is(await pending(), 0)
})

test('a target that is down is tried again, in order; nothing that was not published is acknowledged', async t => {
  const { target, add, bridge, pending, errors } = await openStream(t)
  target.fails = text => text === '3'
  const running = bridge()
  await add(...texts(6))
  await target.until(() => target.attempts.filter(text => text === '3').length === 2)
  t.deepEqual(target.texts, ['0', '1', '2'])
  t.like(errors[0], { code: 'ERR_BROKER', message: 'the target is down' })
  target.fails = () => false
  await add('6')
  await target.until(() => target.texts.length === 7)
  t.deepEqual(target.texts, texts(7))
  await running.close()
  t.is(await pending(), 0)
})

test('a reader that is killed between publishing and acknowledging has its entries taken over: each is published once', async t => {
  const { server, add, bridge, pending } = await openStream(t)
  const recorder = new Recorder()
  const broker = redisBroker({ ...PATIENT, client: server.url })
  t.teardown(() => broker.close())
  broker.listen(recorder)
  await broker.subscribe('news')
  const publisher = createPublisher({ ...PATIENT, client: server.url })
  t.teardown(() => publisher.close())
  const child = spawn(process.execPath, [READER, server.url], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  await add(...texts(5))
  await once(createInterface(child.stdout), 'line')
  child.kill('SIGKILL')
  await once(child, 'exit')
  t.is(await pending(), 5)
  const running = bridge({ claimAfter: 200, target: publisher })
  await add('last')
  await eventually(
    () => recorder.heard.length >= 6,
    () => `${recorder.heard.length} were published`,
  )
  await eventually(
    async () => (await pending()) === 0,
    () => 'something was left',
  )
  const last = await publisher.publish('news', { data: 'end' })
  await recorder.until(last)
  t.deepEqual(
    recorder.heard.map(({ event }) => /data: (.*)/.exec(Buffer.from(event.frame).toString())?.[1]).toSorted(),
    [...texts(5), 'end', 'last'],
  )
  await running.close()
})

test('readers that are gone are removed once nothing is left with them', async t => {
  const { client, target, add, bridge, pending } = await openStream(t)
  await client.xgroup('CREATE', 'orders', 'koa-event-stream', '0', 'MKSTREAM')
  for (const name of ['idle', 'idler']) await client.xgroup('CREATECONSUMER', 'orders', 'koa-event-stream', name)
  await add('held')
  await client.xreadgroup('GROUP', 'koa-event-stream', 'killed', 'COUNT', 1, 'STREAMS', 'orders', '>')
  const running = bridge({ claimAfter: 100 })
  await target.until(() => target.texts.includes('held'))
  await eventually(
    async () => ((await client.xinfo('CONSUMERS', 'orders', 'koa-event-stream')) as unknown[]).length === 1,
    () => 'readers that are gone are still there',
  )
  // It is acknowledged a moment after it was published.
  await eventually(
    async () => (await pending()) === 0,
    () => 'something was left',
  )
  t.deepEqual(target.texts, ['held'])
  await running.close()
})

test('a target of one’s own that fails with a TypeError, as fetch does, is tried again, and so is what hangs', async t => {
  const { target, add, bridge, rejected, errors, pending } = await openStream(t)
  const failures = [
    () => Promise.reject(new TypeError('fetch failed')),
    () => {
      throw new TypeError('not even a promise')
    },
    () => new Promise<string>(() => undefined),
  ]
  const running = bridge({
    claimAfter: 500,
    target: { publish: (...args) => failures.shift()?.() ?? target.publish(...args) },
  })
  await add('important', 'second')
  await target.until(() => target.texts.length === 2)
  t.deepEqual(target.texts, ['important', 'second'])
  t.deepEqual(rejected, [])
  t.is(errors.length, 3)
  t.is(new Set(target.keys).size, 2)
  await running.close()
  t.is(await pending(), 0)
})

test('a `read` that answers a promise loses nothing; listeners that fail stop neither the bridge nor the process', async t => {
  const { client, target, add, bridge, pending } = await openStream(t)
  let asynchronous = true
  let told = 0
  const running = bridge({
    read: ({ fields: { data = '' } }) => {
      if (data === 'bad') throw new Error('not my kind')
      const bridged = { topics: 'news', event: { data } }
      return asynchronous ? (Promise.resolve(bridged) as never) : bridged
    },
    onError: () => {
      told += 1
      asynchronous = false
      throw new Error('a listener that throws')
    },
    onRejected: () => Promise.reject(new Error('a listener that rejects')) as never,
  })
  await add('kept', 'bad', 'last')
  await target.until(() => target.texts.length === 2)
  t.deepEqual(target.texts, ['kept', 'last'])
  t.is(told, 1)
  t.is(await client.xlen('orders:rejected'), 1)
  await running.close()
  t.is(await pending(), 0)
})

test('several bridges share the work', async t => {
  const { target, add, bridge, pending } = await openStream(t)
  const other = new Target()
  const running = [bridge({ batch: 3 }), bridge({ batch: 3, target: other })]
  await add(...texts(200))
  await target.until(() => target.texts.length > 0)
  await other.until(() => other.texts.length > 0)
  await eventually(
    () => target.texts.length + other.texts.length >= 200,
    () => `${target.texts.length} and ${other.texts.length}`,
  )
  t.deepEqual([...target.texts, ...other.texts].toSorted(), texts(200).toSorted())
  for (const { texts } of [target, other])
    t.deepEqual(
      texts.map(Number),
      texts.map(Number).toSorted((a, b) => a - b),
    )
  for (const bridge of running) await bridge.close()
  t.is(await pending(), 0)
})

test('what can never be published is put aside with the reason, and holds up nobody', async t => {
  const { server, client, add, bridge, rejected, pending, errors } = await openStream(t)
  const publisher = createPublisher({ ...PATIENT, client: server.url, maxEventBytes: 100 })
  t.teardown(() => publisher.close())
  const running = bridge({ target: publisher })
  await client.xadd('orders', '*', 'data', 'without a topic')
  await client.xadd('orders', '*', 'topic', 'a b', 'data', 'x')
  await client.xadd('orders', '*', 'topic', 'news', 'event', 'two\nlines', 'data', 'x')
  await client.xadd('orders', '*', 'topic', 'news', 'data', 'x'.repeat(200))
  await add('fine')
  await eventually(
    () => rejected.length === 4,
    () => `${rejected.length} were rejected`,
  )
  t.deepEqual(
    rejected.map(({ error }) => (error as EventStreamError).code),
    ['ERR_TOPIC_INVALID', 'ERR_TOPIC_INVALID', 'ERR_EVENT_INVALID', 'ERR_EVENT_TOO_LARGE'],
  )
  const aside = await client.xrange('orders:rejected', '-', '+')
  const [first] = rejected
  t.deepEqual(aside[0]?.[1], [
    'rejected',
    'the entry has no field `topic`',
    'entry',
    first?.entry.id,
    'data',
    'without a topic',
  ])
  t.is(aside.length, 4)
  await running.close()
  t.is(await pending(), 0)
  t.deepEqual(errors, [])
})

test('so is what the application cannot read, and what was deleted before its turn', async t => {
  const { client, target, add, bridge, rejected, pending } = await openStream(t)
  target.fails = () => true
  const running = bridge({
    read: ({ fields: { data = '' } }) => {
      if (data === 'bad') throw new SyntaxError('not my kind')
      return { topics: 'news', event: { data } }
    },
  })
  const ids = ['first', 'bad', 'deleted', 'last'].map(async data => client.xadd('orders', '*', 'data', data))
  const [, , deleted] = await Promise.all(ids)
  await target.until(() => target.attempts.length > 0)
  await client.xdel('orders', String(deleted))
  target.fails = () => false
  await target.until(() => target.texts.includes('last'))
  t.deepEqual(target.texts, ['first', 'last'])
  t.like(rejected, [{ error: { message: 'not my kind' } }, { error: { message: 'the entry has been deleted' } }])
  await add('goes on')
  await target.until(() => target.texts.includes('goes on'))
  await running.close()
  t.is(await pending(), 0)
})

test('Redis restarts, empty: the group is made anew, and the bridge goes on', async t => {
  const { server, target, add, bridge, errors } = await openStream(t)
  const running = bridge()
  await add('before')
  await target.until(() => target.texts.length === 1)
  await server.stop()
  await eventually(
    () => errors.length > 0,
    () => 'nothing was told of the failure',
  )
  t.like(errors[0], { code: 'ERR_BROKER' })
  await startRedis(t, { port: server.port })
  await add('after')
  await target.until(() => target.texts.length === 2)
  t.deepEqual(target.texts, ['before', 'after'])
  await running.close()
})

test('closing: before it is connected, while it waits, while it publishes, while the target is down, while Redis is', async t => {
  const { server, target, add, bridge, errors, pending } = await openStream(t)
  await bridge().close()

  const waiting = bridge()
  await add('one')
  await target.until(() => target.texts.length === 1)
  await waiting.close()
  await add('two')

  const [reached, goOn] = [new Deferred<undefined>(), new Deferred<undefined>()]
  const publishing = bridge({
    target: {
      publish: async (...args) => {
        reached.resolve(undefined)
        await goOn.promise
        return target.publish(...args)
      },
    },
  })
  await reached.promise
  const closed = publishing.close()
  goOn.resolve(undefined)
  await closed
  t.deepEqual(target.texts, ['one', 'two'], 'what was under way is finished')
  t.is(await pending(), 0)

  target.fails = () => true
  const failing = bridge()
  await add('three')
  await target.until(() => target.attempts.includes('three'))
  await failing.close()
  t.is(await pending(), 1, 'somebody else will take it over')

  target.fails = () => false
  const cutOff = bridge()
  await add('four')
  await target.until(() => target.texts.includes('four'))
  await server.stop()
  await eventually(
    () => errors.length > 0,
    () => 'nothing was told of the failure',
  )
  await cutOff.close()
  await bridge().close()
  t.deepEqual(target.texts, ['one', 'two', 'four'])
})

test('on a Cluster the stream, its rejected entries and the log may be on different nodes', async t => {
  const cluster = await startCluster(t)
  const client = cluster.connect()
  const recorder = new Recorder()
  const broker = redisBroker({ ...PATIENT, client })
  t.teardown(() => broker.close())
  broker.listen(recorder)
  await broker.subscribe('news')
  const publisher = createPublisher({ ...PATIENT, client })
  t.teardown(() => publisher.close())
  const owners = await Promise.all(['orders', 'orders:rejected', '{events}:log'].map(key => cluster.ownerOf(key)))
  t.true(new Set(owners).size > 1)
  const bridge = bridgeStream({ client, stream: 'orders', target: publisher })
  t.teardown(() => bridge.close())
  await client.xadd('orders', '*', 'data', 'without a topic')
  await client.xadd('orders', '*', 'topic', 'news', 'data', 'hello')
  await eventually(
    () => recorder.heard.length === 1,
    () => 'nothing was heard',
  )
  t.deepEqual(
    recorder.heard.map(({ event }) => Buffer.from(event.frame).includes('data: hello')),
    [true],
  )
  t.is(await client.xlen('orders:rejected'), 1)
})

test('a wrong option is a TypeError that names it', t => {
  const client = 'redis://127.0.0.1:1'
  const good = { client, stream: 'orders', target: new Target() }
  for (const [name, options] of [
    ['client', { ...good, client: 'localhost' }],
    ['stream', { ...good, stream: '' }],
    ['group', { ...good, group: '' }],
    ['target.publish', { ...good, target: {} }],
    ['read', { ...good, read: 1 }],
    ['batch', { ...good, batch: 0 }],
    ['claimAfter', { ...good, claimAfter: 0.5 }],
    ['onRejected', { ...good, onRejected: 'log' }],
    ['onError', { ...good, onError: 'log' }],
    ['steram', { ...good, steram: 'orders' }],
  ] as const) {
    t.throws(() => bridgeStream(options as unknown as BridgeOptions), {
      instanceOf: TypeError,
      message: new RegExp(`\`${name}\``),
    })
  }
})
