import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import type { Redis } from 'ioredis'
import Koa from 'koa'
import { createHub, eventStream } from 'koa-event-stream'
import { createPublisher, redisBroker } from 'koa-event-stream/redis'
import { eventually } from '../support/eventually.ts'
import { openStream, serve, type Received } from '../support/http.ts'
import { ioredisVersions } from '../support/ioredis-versions.ts'
import { PATIENCE, PATIENT } from '../support/progress.ts'
import type { ReceivedStream } from '../support/received-stream.ts'
import { startSentinels, type SentinelSet } from '../support/redis-sentinel.ts'
import { ROOT } from '../support/root.ts'
import { publishAtLast } from './publish-at-last.ts'

const SOON = { timeout: 5_000, watchdog: 200 }

/** An instance whose streams get the topics that their path names. */
async function openInstance(t: ExecutionContext, { connect }: SentinelSet, Client?: typeof Redis) {
  const hub = createHub({ broker: redisBroker({ client: connect(Client), ...SOON }) })
  t.teardown(() => hub.close())
  const app = new Koa()
  app.use(eventStream({ hub, authenticate: false, subscribe: (_, ctx) => ctx.path.slice(1).split(','), retry: 500 }))
  const { url } = await serve(app, t)
  return {
    hub,
    open: async (topics: string, cursor = '') => {
      const stream = await openStream(`${url}/${topics}`, { headers: cursor === '' ? {} : { 'last-event-id': cursor } })
      t.teardown(() => stream.close())
      await stream.next(({ event }) => event === 'cursor')
      return stream
    },
    /** Publishes, again and again until it succeeds. */
    publish: async (topic: string, data: string) => {
      let id = ''
      await eventually(
        async () => {
          id = await hub.publish(topic, { data }).catch(() => '')
          return id !== ''
        },
        () => `${data} could not be published`,
      )
      return id
    },
  }
}

const isMessage = ({ event }: Received) => event === 'message'
const gaps = (stream: ReceivedStream) => stream.received.filter(({ event }) => event === 'gap').map(({ data }) => data)
const epochOf = (id: string) => id.split('-')[0]
const seqOf = (id: string) => Number(id.split('-')[1])
const EPOCH = '{"topics":["news"],"reason":"epoch"}'

/** WAIT waits for what its own connection has written, and for all that was written before that. */
async function replicated({ admin }: SentinelSet['master']): Promise<void> {
  await admin.set('mark', 'written after it')
  await admin.wait(1, PATIENCE)
}

/** Lets the replica fall behind: what is published from now on is acknowledged, and lost when it takes over. */
async function holdReplica({ master, replica }: SentinelSet): Promise<void> {
  await replicated(master)
  // Nobody listens there.
  await replica.admin.replicaof('127.0.0.1', 1)
}

/** Kills the master and waits until the replica has taken over. */
async function failOver(set: SentinelSet): Promise<void> {
  await set.master.stop()
  await set.isLedBy(set.replica)
}

test('a fail-over that loses nothing: streams go on, without a gap, open ones and those that resume', async t => {
  const set = await startSentinels(t)
  const [one, other] = [await openInstance(t, set), await openInstance(t, set)]
  const streams = [await one.open('news'), await other.open('news')]
  const before = await one.publish('news', 'before')
  for (const stream of streams) await stream.next(isMessage)
  await replicated(set.master)
  await failOver(set)
  const after = await other.publish('news', 'after')
  for (const stream of [...streams, await one.open('news', before), await other.open('news', before)]) {
    if (!stream.received.some(({ id }) => id === after)) await stream.next(isMessage)
    t.deepEqual(
      stream.received.filter(({ id, event }) => isMessage({ event } as Received) && id !== before).map(({ id }) => id),
      [after],
    )
    t.deepEqual(gaps(stream), [])
  }
})

for (const [version, { Redis: Client }] of ioredisVersions) {
  test(`a fail-over that loses what streams have got: they are told of a new life of the log, and so is who resumes (${version})`, async t => {
    const set = await startSentinels(t)
    const [one, other] = [await openInstance(t, set, Client), await openInstance(t, set, Client)]
    const streams = [await one.open('news'), await other.open('news')]
    const kept = await one.publish('news', 'kept')
    await holdReplica(set)
    const lost = await one.publish('news', 'lost')
    for (const stream of streams) await stream.next(({ id }) => id === lost)
    await failOver(set)
    for (const stream of streams) await stream.next(({ event }) => event === 'gap')
    const after = await other.publish('news', 'after')
    const resumed = [await one.open('news', lost), await other.open('news', lost), await other.open('news', kept)]
    for (const stream of streams) await stream.next(({ id, event }) => id === after && event === 'message')
    for (const stream of [...streams, ...resumed]) t.deepEqual(gaps(stream), [EPOCH])
    t.not(epochOf(after), epochOf(lost))
    t.true(seqOf(after) > seqOf(lost))
  })
}

test('so are they when somebody has published to the same topic before those who know of the loss', async t => {
  const set = await startSentinels(t)
  const one = await openInstance(t, set)
  const stream = await one.open('news')
  await one.publish('news', 'kept')
  await holdReplica(set)
  const lost = await one.publish('news', 'lost')
  await stream.next(({ id }) => id === lost)
  await set.replica.admin.replicaof('NO', 'ONE')
  await publishEarly(t, set)
  await failOver(set)
  await stream.next(({ event }) => event === 'gap')
  const after = await one.publish('news', 'after')
  await stream.next(({ id, event }) => id === after && event === 'message')
  t.deepEqual(gaps(stream), [EPOCH])
})

for (const [when, again] of [
  ['it publishes there again before it looks', 'news'],
  ['it has nothing more to say there', 'other'],
] as const) {
  test(`so are they when only a publisher knows, since nobody listened: ${when}`, async t => {
    const set = await startSentinels(t)
    const one = await openInstance(t, set)
    const worker = createPublisher({ client: set.connect(), timeout: SOON.timeout })
    t.teardown(() => worker.close())
    const kept = await worker.publish('news', { data: 'kept' })
    await holdReplica(set)
    await worker.publish('news', { data: 'lost' })
    await failOver(set)
    await publishEarly(t, set)
    await eventually(
      () => worker.publish(again, { data: 'again' }).then(Boolean, () => false),
      () => 'nothing could be published any more',
    )
    await eventually(
      async () => one.hub.ready && epochOf(await one.hub.cursor()) !== epochOf(kept),
      () => 'no new life of the log was begun',
    )
    t.deepEqual(gaps(await one.open('news', kept)), [EPOCH])
  })
}

test('so are they when only an instance knows that nobody listens to', async t => {
  const set = await startSentinels(t)
  const [one, other] = [await openInstance(t, set), await openInstance(t, set)]
  const kept = await one.publish('news', 'kept')
  await holdReplica(set)
  await one.publish('news', 'lost')
  await failOver(set)
  await publishEarly(t, set)
  await eventually(
    async () => other.hub.ready && epochOf(await other.hub.cursor()) !== epochOf(kept),
    () => 'no new life of the log was begun',
  )
  t.deepEqual(gaps(await other.open('news', kept)), [EPOCH])
})

for (const [version, { Redis }] of ioredisVersions) {
  test(`a client that listens to its Sentinels for a fail-over loses no publisher to it (${version})`, async t => {
    const set = await startSentinels(t)
    const client = set.connect(Redis, { failoverDetector: true })
    // So long that the news comes while a Sentinel that is frozen is asked.
    const publisher = createPublisher({ client, timeout: 16_000 })
    t.teardown(() => publisher.close())
    await publisher.publish('news', { data: 'before' })
    set.sentinels[0]?.pause()
    t.teardown(() => set.sentinels[0]?.resume())
    await set.master.stop()
    await t.notThrowsAsync(publishAtLast(publisher))
  })

  test(`a publisher that is closed while its Sentinels are away connects to none of them any more (${version})`, async t => {
    let asked = 0
    const away = createServer(socket => {
      asked += 1
      socket.destroy()
    })
    await once(away.listen(0, '127.0.0.1'), 'listening')
    t.teardown(() => away.close())
    const { port } = away.address() as AddressInfo
    const worker = spawn(process.execPath, ['--input-type=module', '--eval', WORKER], {
      cwd: ROOT,
      env: { ...process.env, PORT: String(port), IOREDIS: version === 'ioredis 5' ? 'ioredis-5' : 'ioredis' },
      stdio: ['pipe', 'inherit', 'inherit'],
    })
    t.teardown(() => worker.kill('SIGKILL'))
    await eventually(
      () => asked >= 3,
      () => `${asked} questions`,
    )
    worker.stdin.end('close')
    t.deepEqual(await once(worker, 'exit'), [0, null])
  })
}

// It ends by itself, as soon as nothing is left to do: by 1 if a socket has been opened since it was closed.
const WORKER = `
  const { subscribe } = await import('node:diagnostics_channel')
  const { Redis } = await import(process.env.IOREDIS)
  const { createPublisher } = await import('koa-event-stream/redis')
  const sentinels = [{ host: '127.0.0.1', port: Number(process.env.PORT) }]
  const publisher = createPublisher({ client: new Redis({ name: 'main', sentinels, lazyConnect: true }) })
  process.stdin.once('data', async () => {
    await publisher.close()
    subscribe('net.client.socket', () => (process.exitCode = 1))
  })
`

/** Publishes as somebody who knows nothing of what was before, and is the first to come to the new master. */
async function publishEarly(t: ExecutionContext, { replica }: SentinelSet): Promise<void> {
  const early = createPublisher({ ...PATIENT, client: replica.url })
  t.teardown(() => early.close())
  await early.publish('news', { data: 'early' })
}
