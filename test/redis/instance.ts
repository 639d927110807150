import type { ExecutionContext } from 'ava'
import { Redis } from 'ioredis'
import Koa from 'koa'
import { createHub, eventStream, type Hub, type HubEvents } from 'koa-event-stream'
import { redisBroker, type RedisBrokerOptions } from 'koa-event-stream/redis'
import type { Broker } from '../../lib/broker/broker.ts'
import { encodeBody } from '../../lib/wire/frame.ts'
import { Recorder } from '../contract/recorder.ts'
import { openStream, serve, type Received, type ReceivedStream } from '../support/http.ts'
import { eventually } from '../support/eventually.ts'
import { PATIENT, Progress } from '../support/progress.ts'
import type { RedisServer } from '../support/redis-server.ts'

/** Something that a hub told its listeners. */
type Told = { [Name in keyof HubEvents]: { readonly name: Name; readonly about: HubEvents[Name][0] } }[keyof HubEvents]

/** A whole instance: a hub on Redis behind a real server. */
export interface Instance {
  readonly hub: Hub
  readonly url: string
  readonly port: number
  readonly told: readonly Told[]
  /** Opens a stream on topics, with the cursor of a client that comes back. */
  open(topics: readonly string[], cursor?: string): Promise<ReceivedStream>
  /** Waits until the hub has told so many events of a name. */
  tells(name: Told['name'], count?: number): Promise<Told[]>
}

export async function openInstance(t: ExecutionContext, broker: RedisBrokerOptions): Promise<Instance> {
  // Its own signs of life would count among the commands that tests count.
  const hub = createHub({ broker: redisBroker({ ...PATIENT, ...broker }), lease: 3_600_000 })
  const told: Told[] = []
  const progress = new Progress()
  for (const name of ['ready', 'lost', 'open', 'close', 'refuse', 'gap', 'fault', 'drain'] as const) {
    hub.on(name, (about?: HubEvents[typeof name][0]) => {
      told.push({ name, about } as Told)
      progress.announce()
    })
  }
  const app = new Koa()
  app.on('error', error => t.fail(String(error)))
  app.use(
    eventStream({
      hub,
      authenticate: false,
      heartbeat: false,
      limits: { address: 50_000 },
      subscribe: (_stream, ctx) => String(ctx.query.topics).split(','),
    }),
  )
  // Teardowns run in the opposite order: the server cuts its connections first.
  t.teardown(() => hub.close())
  const { url, port } = await serve(app, t)
  return {
    hub,
    url,
    port,
    told,
    open: (topics, cursor) =>
      openStream(
        `${url}/?topics=${topics.join()}`,
        cursor === undefined ? {} : { headers: { 'last-event-id': cursor } },
      ),
    tells: (name, count = 1) =>
      progress.until(
        () => {
          const some = told.filter(thing => thing.name === name)
          return some.length >= count ? some : undefined
        },
        () => `the hub did not tell “${name}” ${count} times`,
      ),
  }
}

/** An engine and what it says. */
export interface Engine {
  readonly broker: Broker
  readonly recorder: Recorder
}

/** An engine that listens to topics. */
export async function openEngine(
  t: ExecutionContext,
  options: RedisBrokerOptions,
  topics: readonly string[] = [],
): Promise<Engine> {
  const broker = redisBroker({ ...PATIENT, ...options })
  t.teardown(() => broker.close())
  const recorder = new Recorder()
  broker.listen(recorder)
  for (const topic of topics) await broker.subscribe(topic)
  await recorder.untilReady()
  return { broker, recorder }
}

/** A client for what a test does to Redis behind the package's back. */
export function connectAdmin(t: ExecutionContext, { url }: Pick<RedisServer, 'url'>): Redis {
  const admin = new Redis(url)
  admin.on('error', () => undefined)
  t.teardown(async () => {
    admin.disconnect()
  })
  return admin
}

/** The lines of an event. */
export function body(data: string): Buffer {
  return encodeBody({ event: undefined, data, id: undefined })
}

/** Publishes events with these texts one after another, and answers their ids. */
export async function publish(broker: Broker, topic: string, ...texts: string[]): Promise<string[]> {
  const ids: string[] = []
  for (const text of texts) ids.push(await broker.publish([topic], body(text)))
  return ids
}

export function isCursor({ event }: Received): boolean {
  return event === 'cursor'
}

/** Reads on to the message with this text, and answers the stream's messages and gaps up to there. */
export async function until(stream: ReceivedStream, text: string): Promise<string[]> {
  await stream.next(({ event, data }) => event === 'message' && data === text)
  return stream.received.flatMap(({ event, data }) => {
    if (event === 'message') return data
    return event === 'gap' ? `gap: ${(JSON.parse(data) as { reason: string }).reason}` : []
  })
}

/** Waits until Redis itself is as it should be; it tells nobody, so it is asked again and again. */
export async function untilRedis<T>(ask: () => Promise<T | undefined>, what: string): Promise<T> {
  let answer: T | undefined
  await eventually(
    async () => (answer = await ask()) !== undefined,
    () => what,
  )
  return answer as T
}

/** How often Redis has been given a command since it was started. */
export async function callsOf(admin: Redis, command: string): Promise<number> {
  const stats = await admin.info('commandstats')
  return Number(new RegExp(`^cmdstat_${command}:calls=(\\d+)`, 'm').exec(stats)?.[1] ?? 0)
}
