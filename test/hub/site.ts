import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import type { ExecutionContext } from 'ava'
import Koa from 'koa'
import {
  createHub,
  createIdentity,
  eventStream,
  type Authenticator,
  type EventStream,
  type Hub,
  type HubEvents,
  type HubOptions,
  type Identity,
  type PublicOptions,
  type Revalidation,
  type TopicRequest,
} from 'koa-event-stream'
import { eventually } from '../support/eventually.ts'
import { openStream, serve, type OpenOptions, type Received } from '../support/http.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { ReceivedStream } from '../support/received-stream.ts'

export interface SiteOptions extends Partial<Omit<PublicOptions, 'hub' | 'authenticate'>> {
  readonly hub?: HubOptions
  /** Asked on a timer about every stream. */
  readonly revalidation?: Revalidation
  /** Further fields of the identity, by its id. */
  readonly identify?: (id: string) => Partial<Identity>
}

/** Something that the hub told its listeners. */
type Told = { [Name in keyof HubEvents]: { readonly name: Name } & HubEvents[Name][0] }[keyof HubEvents]

/** A hub behind a real server, whose time stands still until the test moves it. */
export interface Site {
  readonly hub: Hub
  readonly clock: ManualClock
  readonly url: string
  /** The server's ends of all streams, in the order of their opening. */
  readonly streams: EventStream[]
  /** All lifecycle events. */
  readonly told: readonly Told[]
  /** Opens a stream on topics, separated by commas; the rest of the path may say `lastEventId=…` and `user=…`. */
  open(topics: string, query?: string, options?: OpenOptions): Promise<ReceivedStream>
  /** The same for a client that does not read until it is told to. */
  openUnread(topics: string, query?: string): Promise<UnreadStream>
  /** The server's end of the stream that was opened last. */
  last(): EventStream
  /** Publishes events with these texts as data, one after another, and answers their ids. */
  publish(topic: string | readonly string[], ...texts: string[]): Promise<string[]>
  /** Waits until nothing is left of any stream. */
  isEmpty(): Promise<void>
}

export interface UnreadStream {
  /** Begins to read. */
  read(): ReceivedStream
  close(): void
}

export async function openSite(t: ExecutionContext, options: SiteOptions = {}): Promise<Site> {
  const { hub: hubOptions, revalidation, identify = () => ({}), ...rest } = options
  const clock = new ManualClock()
  const hub = createHub({ clock, ...hubOptions })
  const streams: EventStream[] = []
  const told: Told[] = []
  for (const name of ['open', 'close', 'refuse', 'gap', 'fault', 'drain'] as const) {
    hub.on(name, (about: HubEvents[typeof name][0]) => told.push({ name, ...about } as Told))
  }
  const authenticator: Authenticator = {
    scheme: 'query',
    challenge: 'Query realm="events"',
    ambient: false,
    authenticate: ctx => {
      const id = String(ctx.query.user ?? 'ada')
      return createIdentity({ id, scheme: 'query', ...identify(id) })
    },
    ...(revalidation && { revalidation }),
  }
  const app = new Koa()
  app.on('error', error => t.fail(String(error)))
  app.use(
    eventStream({
      hub,
      authenticate: authenticator,
      heartbeat: false,
      ...rest,
      subscribe: (stream, ctx) => {
        streams.push(stream)
        return requested(String(ctx.query.topics))
      },
    }),
  )
  // Teardowns run in the opposite order: the server cuts its connections first.
  t.teardown(() => hub.close())
  const { url } = await serve(app, t)
  return {
    hub,
    clock,
    url,
    streams,
    told,
    open: (topics, query = '', options = {}) => openStream(`${url}/?topics=${topics}&${query}`, options),
    openUnread: async (topics, query = '') => {
      const outgoing = request(`${url}/?topics=${topics}&${query}`, { agent: false })
      outgoing.on('error', () => {})
      outgoing.end()
      const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
      const close = () => outgoing.destroy()
      return { read: () => new ReceivedStream(incoming.statusCode ?? 0, incoming.headers, incoming, close), close }
    },
    last: () => {
      const stream = streams.at(-1)
      if (stream === undefined) throw new Error('No stream was opened')
      return stream
    },
    publish: async (topic, ...texts) => {
      const ids: string[] = []
      for (const data of texts) ids.push(await hub.publish(topic, { data }))
      return ids
    },
    isEmpty: () =>
      eventually(
        () => hub.stats().streams === 0 && hub.stats().topics === 0,
        () => `Something is left: ${JSON.stringify(hub.stats())}`,
      ),
  }
}

// `a,b:50` is the topic `a`, and the topic `b` with its last 50 events.
function requested(topics: string): TopicRequest[] {
  return topics
    .split(',')
    .filter(topic => topic !== '')
    .map(text => {
      const [topic = '', replay = '0'] = text.split(':')
      return { topic, replay: Number(replay) }
    })
}

/** Reads on to the cursor that says that the stream has caught up, and answers all that came from the beginning. */
export async function arrival(stream: ReceivedStream): Promise<Received[]> {
  const cursor = await stream.next(({ event }) => event === 'cursor')
  return stream.received.slice(0, stream.received.indexOf(cursor) + 1)
}

/** The data of what came as messages. */
export function messages(received: readonly Received[]): string[] {
  return received.filter(({ event }) => event === 'message').map(({ data }) => data)
}
