import Router from '@koa/router'
import type { ExecutionContext } from 'ava'
import Koa from 'koa'
import {
  createHub,
  createIdentity,
  eventStream,
  type Authenticator,
  type Hub,
  type HubEvents,
  type HubOptions,
} from 'koa-event-stream'
import { opsRoutes, type OpsAction, type OpsOptions } from 'koa-event-stream/ops'
import { eventually } from '../support/eventually.ts'
import { openStream, serve, type ReceivedStream } from '../support/http.ts'

/** What no operator is to see of a login. */
export const SESSION = 'session-key-0123456789abcdef'
export const TOKEN = 'token-id-0123456789abcdef'

export const login = ({ ambient = false, token = TOKEN } = {}): Authenticator => ({
  scheme: 'key',
  challenge: 'Key realm="ops"',
  ambient,
  authenticate: ctx => {
    const id = ctx.get('x-user')
    return id === ''
      ? undefined
      : createIdentity({ id, scheme: 'key', session: SESSION, ...(token !== '' && { token }) })
  },
})

export interface Overview {
  readonly instances: readonly { readonly instance: string; readonly streams: number; readonly draining: boolean }[]
  readonly silent: readonly string[]
  readonly topics: readonly { readonly topic: string; readonly streams: number; readonly rate: number | null }[]
  readonly slow: readonly { readonly id: string; readonly identity: string; readonly buffered: number }[]
}

export interface Listing {
  readonly streams: readonly { readonly id: string; readonly identity: string; readonly instance: string }[]
  readonly next: unknown
  readonly complete: boolean
}

export interface Entry {
  readonly what: string
  readonly stream?: string
  readonly reason?: string
  readonly [detail: string]: unknown
}

export interface OpsSite {
  readonly hub: Hub
  readonly url: string
  readonly faults: HubEvents['fault'][0][]
  /** What `may` was asked. */
  readonly asked: OpsAction[]
  /** A request to the page's routes, as an operator. */
  get(path: string, headers?: Record<string, string>): Promise<Response>
  post(action: unknown, headers?: Record<string, string>): Promise<{ status: number; body: unknown }>
  /** The page's own stream, or a trace. */
  watch(path: string): Promise<ReceivedStream>
  /** A stream of somebody's, on topics separated by commas, once it is live. */
  open(user: string, topics?: string): Promise<{ readonly stream: ReceivedStream; readonly id: string }>
}

export interface OpsSiteOptions extends Partial<Omit<OpsOptions, 'hub' | 'may'>> {
  readonly hub?: HubOptions
  readonly may?: (action: OpsAction) => unknown
}

/** The page on a real server, at `/ops`, with an ordinary stream beside it at `/events`. */
export async function openOps(t: ExecutionContext, options: OpsSiteOptions = {}): Promise<OpsSite> {
  const { hub: hubOptions, may = () => true, ...rest } = options
  const hub = createHub(hubOptions)
  const faults: HubEvents['fault'][0][] = []
  hub.on('fault', fault => faults.push(fault)).on('refuse', () => undefined)
  const asked: OpsAction[] = []
  const router = new Router()
  const routes = opsRoutes({
    hub,
    authenticate: login(),
    ...rest,
    may: (_, action) => {
      asked.push(action)
      return may(action) as boolean
    },
  })
  router.all('/ops{/*path}', routes)
  const subscribe = (_: unknown, ctx: Koa.Context) => {
    if (ctx.query.topics === 'none') ctx.throw(403)
    return String(ctx.query.topics).split(',')
  }
  router.get('/events', eventStream({ hub, authenticate: login(), heartbeat: false, subscribe }))
  const app = new Koa()
  app.use(router.routes())
  t.teardown(() => hub.close())
  const { url } = await serve(app, t)
  const admin = { 'x-user': 'admin' }
  // A busy machine takes so long that the server ends idle connections just as fetch takes one of them.
  const alone = { connection: 'close' }
  return {
    hub,
    url,
    faults,
    asked,
    get: (path, headers = {}) =>
      fetch(`${url}/ops/${path}`, { headers: { ...admin, ...alone, ...headers }, redirect: 'manual' }),
    post: async (action, headers = {}) => {
      const response = await fetch(`${url}/ops/actions`, {
        method: 'POST',
        headers: { ...admin, ...alone, 'content-type': 'application/json', ...headers },
        body: JSON.stringify(action),
      })
      const text = await response.text()
      return { status: response.status, body: text.startsWith('{') ? (JSON.parse(text) as unknown) : text }
    },
    watch: path => openStream(`${url}/ops/${path}`, { headers: admin }),
    open: async (user, topics = 'news') => {
      const stream = await openStream(`${url}/events?topics=${topics}`, { headers: { 'x-user': user } })
      const { data } = await stream.next(({ event }) => event === 'cursor')
      return { stream, id: (JSON.parse(data) as { stream: string }).stream }
    },
  }
}

/** The first overview that is as it should be. */
export async function overviewThat(stream: ReceivedStream, isRight: (seen: Overview) => boolean): Promise<Overview> {
  const { data } = await stream.next(({ event, data }) => event === 'overview' && isRight(JSON.parse(data) as Overview))
  return JSON.parse(data) as Overview
}

/** All entries of a trace so far. */
export function entriesOf(trace: ReceivedStream): Entry[] {
  return trace.received
    .filter(({ event }) => event === 'trace')
    .flatMap(({ data }) => (JSON.parse(data) as { entries: Entry[] }).entries)
}

export async function list(site: OpsSite, query = ''): Promise<Listing> {
  return (await (await site.get(`streams?${query}`)).json()) as Listing
}

/** Waits until a trace has entries of these kinds, in this order. */
export async function tracedInOrder(trace: ReceivedStream, kinds: readonly string[]): Promise<Entry[]> {
  await eventually(
    () => kinds.every((kind, index) => entriesOf(trace)[index]?.what === kind),
    () =>
      entriesOf(trace)
        .map(({ what }) => what)
        .join(),
  )
  return entriesOf(trace)
}
