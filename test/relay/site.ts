import Router from '@koa/router'
import type { ExecutionContext } from 'ava'
import Koa from 'koa'
import { createHub, memoryBroker, type Hub, type HubEvents, type HubOptions } from 'koa-event-stream'
import { redisBroker } from 'koa-event-stream/redis'
import { relay, type RelayOptions, type StartOptions } from 'koa-event-stream/relay'
import { byName } from '../koa/endpoint.ts'
import { eventually } from '../support/eventually.ts'
import { openStream, serve, type Received, type ReceivedStream } from '../support/http.ts'
import { PATIENT } from '../support/progress.ts'
import { startRedis } from '../support/redis-server.ts'
import { Script } from './script.ts'

export interface Options {
  readonly hub?: HubOptions
  readonly relay?: Partial<Omit<RelayOptions, 'hub'>>
  readonly start?: Partial<Omit<StartOptions, 'authenticate'>>
}

/** Who asks, and the id that they have seen last. */
export interface Asking {
  readonly as?: string
  readonly since?: string | undefined
}

/** An instance with the three routes of a relay. */
export interface Site {
  readonly hub: Hub
  readonly url: string
  readonly faults: readonly HubEvents['fault'][0][]
  /** The scripts of the runs that were begun here, by their ids: one is enough unless a run was started anew. */
  readonly scripts: ReadonlyMap<string, readonly Script[]>
  start(id: string, asking?: Asking): Promise<ReceivedStream>
  follow(id: string, asking?: Asking): Promise<ReceivedStream>
  /** Only what the source says. */
  plain(id: string, asking?: Asking): Promise<ReceivedStream>
  cancel(id: string, asking?: Asking): Promise<number>
  /** The script of the last run with an id, once it has begun. */
  script(id: string): Promise<Script>
  /** Waits until neither streams nor topics are left. */
  isEmpty(): Promise<void>
}

export async function openSite(t: ExecutionContext, options: Options = {}): Promise<Site> {
  const hub = createHub(options.hub)
  const faults: HubEvents['fault'][0][] = []
  hub.on('fault', fault => faults.push(fault))
  hub.on('refuse', () => undefined)
  hub.on('lost', () => undefined)
  const scripts = new Map<string, Script[]>()
  const { start, follow, cancel } = relay({ hub, linger: 0, lease: 300_000, ...options.relay })
  const may = (identity: { id: string }, run: { owner: string | undefined }) =>
    identity.id === run.owner || identity.id === 'auditor'
  const router = new Router()
  const starting = start({
    authenticate: byName,
    id: ctx => String(ctx.params.id),
    run: ({ signal }, ctx) => {
      const script = new Script(signal)
      const id = String(ctx.params.id)
      scripts.set(id, [...(scripts.get(id) ?? []), script])
      return script
    },
    ...options.start,
  })
  router.post('/runs/:id', starting)
  router.get('/started/:id', starting)
  router.get('/runs/:id', follow({ authenticate: byName, may }))
  router.get('/plain/:id', follow({ authenticate: byName, may, format: 'plain' }))
  router.delete('/runs/:id', cancel({ authenticate: byName, may }))
  const app = new Koa()
  app.on('error', error => t.fail(String(error)))
  app.use(router.routes())
  t.teardown(() => hub.close())
  const { url } = await serve(app, t)
  if (!hub.ready) await new Promise<void>(resolve => hub.once('ready', resolve))

  const headersOf = ({ as = 'ann', since }: Asking = {}) => ({
    'x-user': as,
    ...(since !== undefined && { 'last-event-id': since }),
  })
  const ask = (method: string, path: string) => (id: string, asking?: Asking) =>
    openStream(`${url}/${path}/${encodeURIComponent(id)}`, { method, headers: headersOf(asking) })

  return {
    hub,
    url,
    faults,
    scripts,
    start: ask('POST', 'runs'),
    follow: ask('GET', 'runs'),
    plain: ask('GET', 'plain'),
    cancel: async (id, asking) => {
      const { status } = await fetch(`${url}/runs/${encodeURIComponent(id)}`, {
        method: 'DELETE',
        headers: headersOf(asking),
      })
      return status
    },
    script: async id => {
      await eventually(
        () => scripts.has(id),
        () => `no run ${id} has begun`,
      )
      return scripts.get(id)?.at(-1) ?? t.fail('there is a script')
    },
    isEmpty: () =>
      eventually(
        () => hub.stats().streams + hub.stats().topics === 0,
        () => `something is left: ${JSON.stringify(hub.stats())}`,
      ),
  }
}

/** Two instances that share runs. */
export type Pair = readonly [one: Site, other: Site]

/** Runs a test on the memory broker, where both are one instance, and on two instances that share a real Redis. */
export async function openPair(t: ExecutionContext, engine: Engine, options: Options = {}): Promise<Pair> {
  if (engine === 'memory') {
    const site = await openSite(t, { ...options, hub: { broker: memoryBroker(), ...options.hub } })
    return [site, site]
  }
  const { url } = await startRedis(t)
  const open = () =>
    openSite(t, { ...options, hub: { broker: redisBroker({ client: url, ...PATIENT }), ...options.hub } })
  return [await open(), await open()]
}

export type Engine = 'memory' | 'redis'
export const ENGINES: readonly Engine[] = ['memory', 'redis']

export const ENDS = ['done', 'failed', 'cancelled', 'interrupted']

/** The events in what has come, as `name data`. */
export function told(received: readonly Received[]): string[] {
  return received.filter(({ kind }) => kind === 'event').map(({ event, data }) => `${event} ${data}`)
}

/** The events of the run itself. */
export function said(received: readonly Received[]): string[] {
  return told(received).filter(line => !/^(cursor|gap|goaway) /.test(line))
}

/** Reads on to the event with these data. */
export function until(stream: ReceivedStream, data: string): Promise<Received> {
  return stream.next(thing => thing.kind === 'event' && thing.data === data)
}

/** Reads a stream to its end. */
export async function whole(stream: ReceivedStream): Promise<string[]> {
  await stream.closed
  return said(stream.received)
}
