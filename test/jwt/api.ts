import type { ExecutionContext } from 'ava'
import Koa, { type Middleware } from 'koa'
import {
  bearerToken,
  createHub,
  eventStream,
  memoryBroker,
  type AuthenticatedOptions,
  type BearerTokenOptions,
  type Broker,
  type Hub,
} from 'koa-event-stream'
import { AUDIENCE, claims, forge, ISSUER, SECRET } from '../auth/jwt/keys.ts'
import { listen, type Told } from '../support/hub-events.ts'
import { openStream, serve } from '../support/http.ts'
import { ManualClock } from '../support/manual-clock.ts'
import type { ReceivedStream } from '../support/received-stream.ts'

export interface ApiOptions {
  readonly bearer?: Partial<Exclude<BearerTokenOptions, { issuers: unknown }>>
  /** Options of `eventStream()`. Every stream gets the topic `news`, unless told otherwise. */
  readonly stream?: Partial<AuthenticatedOptions>
  /** Middleware around the streams. */
  readonly outer?: Middleware
  /** To share one with another application; its clock goes with it. */
  readonly hub?: Hub
  readonly clock?: ManualClock
  readonly broker?: Broker
}

export interface Api extends Told {
  readonly hub: Hub
  readonly clock: ManualClock
  readonly url: string
  /** What reached the application's `error` event. A test that expects some takes them out; what is left fails it. */
  readonly errors: unknown[]
  /** Signs a token that is good for a minute, unless its claims are changed. */
  token(changes?: Record<string, unknown>): string
  /** Asks for a stream, with a token or without. */
  open(token?: string, headers?: Record<string, string | string[]>): Promise<ReceivedStream>
}

/** An application that streams to those who have a token. */
export async function openApi(t: ExecutionContext, options: ApiOptions = {}): Promise<Api> {
  const { clock = new ManualClock(), outer } = options
  const hub = options.hub ?? createHub({ clock, broker: options.broker ?? memoryBroker({ clock }) })
  const errors: unknown[] = []
  const app = new Koa()
  app.on('error', (error: { expose?: boolean }) => {
    if (error.expose !== true) errors.push(error)
  })
  if (outer) app.use(outer)
  app.use(
    eventStream({
      hub,
      authenticate: bearerToken({
        algorithms: ['HS256'],
        issuer: ISSUER,
        audience: AUDIENCE,
        clock,
        ...(options.bearer?.keys === undefined && { key: SECRET }),
        ...options.bearer,
      }),
      subscribe: () => 'news',
      ...options.stream,
    }),
  )
  const { url } = await serve(app, t)
  t.teardown(() => {
    if (errors.length > 0) throw errors[0]
  })
  return {
    hub,
    clock,
    url,
    ...listen(hub),
    errors,
    token: changes => forge({ alg: 'HS256' }, claims(clock.now(), changes), SECRET),
    open: (token, headers) =>
      openStream(url, { headers: { ...(token !== undefined && { authorization: `Bearer ${token}` }), ...headers } }),
  }
}
