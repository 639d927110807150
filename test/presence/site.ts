import type { ExecutionContext } from 'ava'
import Koa from 'koa'
import {
  createHub,
  createIdentity,
  eventStream,
  presenceOf,
  type Authenticator,
  type EventStream,
  type Hub,
  type HubEvents,
  type HubOptions,
} from 'koa-event-stream'
import { eventually } from '../support/eventually.ts'
import { openStream, serve, type OpenOptions, type ReceivedStream } from '../support/http.ts'

/** What a `presence` event says. */
export interface State {
  readonly topic: string
  readonly count: number
  readonly members?: readonly { readonly id: string; readonly info?: unknown }[]
}

/** An instance whose resolver does as the request says: `in` names rooms to be present in, `watch` those to be told of. */
export interface Site {
  readonly hub: Hub
  readonly url: string
  readonly streams: EventStream[]
  readonly faults: HubEvents['fault'][0][]
  readonly refusals: HubEvents['refuse'][0][]
  /** What the resolver says of who is present. Default `true`. */
  presence: unknown
  open(query: string, options?: OpenOptions): Promise<ReceivedStream>
  /** Opens a stream of somebody who is present in `room`. */
  enter(user: string): Promise<ReceivedStream>
  /** Opens a stream that is told who is present in `room`. */
  watch(user?: string): Promise<ReceivedStream>
}

export const anyone: Authenticator = {
  scheme: 'query',
  challenge: 'Query realm="events"',
  ambient: false,
  authenticate: ctx => createIdentity({ id: String(ctx.query.user), scheme: 'query', session: String(ctx.query.user) }),
}

export async function openSite(t: ExecutionContext, options: HubOptions = {}, isPublic = false): Promise<Site> {
  const hub = createHub(options)
  const site: Pick<Site, 'faults' | 'refusals' | 'streams'> & { presence: unknown } = {
    faults: [],
    refusals: [],
    streams: [],
    presence: true,
  }
  hub.on('fault', fault => site.faults.push(fault))
  hub.on('refuse', refusal => site.refusals.push(refusal))
  const app = new Koa()
  app.silent = true
  const wanted = ({ query }: Koa.Context) => [
    'quiet',
    ...named(query.watch).map(presenceOf),
    ...named(query.in).map(topic => ({ topic, presence: site.presence })),
  ]
  const common = { hub, heartbeat: false, retry: 500, limits: { address: 50_000 } } as const
  app.use(
    isPublic
      ? eventStream({ ...common, authenticate: false, subscribe: (_stream, ctx) => wanted(ctx) })
      : eventStream({
          ...common,
          authenticate: anyone,
          limits: { ...common.limits, identity: 100 },
          subscribe: (stream, ctx) => {
            site.streams.push(stream)
            return wanted(ctx)
          },
        }),
  )
  // Teardowns run in the opposite order: the server cuts its connections first.
  t.teardown(() => hub.close())
  const { url } = await serve(app, t)
  const open = async (query: string, how: OpenOptions = {}) => {
    const stream = await openStream(`${url}/?${query}`, how)
    if (stream.status === 200) await stream.next(({ event }) => event === 'cursor')
    return stream
  }
  return Object.assign(site, {
    hub,
    url,
    open,
    enter: (user: string) => open(`user=${user}&in=room`),
    watch: (user = 'watcher') => open(`user=${user}&watch=room`),
  })
}

function named(rooms: unknown): string[] {
  return typeof rooms === 'string' ? rooms.split(',') : []
}

/** All states that a stream has been told so far, as the number of members. */
export function counts(stream: ReceivedStream): number[] {
  return statesOf(stream).map(({ count }) => count)
}

export function statesOf(stream: ReceivedStream): State[] {
  return stream.received.filter(({ event }) => event === 'presence').map(({ data }) => JSON.parse(data) as State)
}

/** Waits until a stream has been told last that so many are present, and answers that state. */
export async function untilCount(stream: ReceivedStream, count: number): Promise<State> {
  await eventually(
    () => statesOf(stream).at(-1)?.count === count,
    () => `there are not ${count}, but: ${JSON.stringify(statesOf(stream)).slice(-1_000)}`,
  )
  const state = statesOf(stream).at(-1)
  if (state === undefined) throw new Error('nothing was told')
  return state
}

/** Waits until the hub says that so many are present. */
export async function untilOccupied(hub: Hub, count: number, topic = 'room'): Promise<void> {
  let last: unknown
  await eventually(
    async () => (last = await hub.occupancy(topic).catch(String)) === count,
    () => `there are not ${count} but ${String(last)}`,
  )
}
