import type { ExecutionContext } from 'ava'
import Koa, { type Middleware } from 'koa'
import {
  createHub,
  eventStream,
  type AuthenticatedOptions,
  type Authenticator,
  type EventMap,
  type EventStreamMiddleware,
  type Hub,
  type Identity,
  type SubscriptionResolver,
} from 'koa-event-stream'
import { serve } from '../support/http.ts'
import { openTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'

/** Options of `eventStream()`. By default anybody gets the topic `news`, and comes back as soon as may be. */
export interface StreamOptions extends Partial<Omit<AuthenticatedOptions, 'authenticate' | 'subscribe'>> {
  readonly authenticate?: Authenticator | false
  readonly subscribe?: SubscriptionResolver<EventMap, Identity | undefined>
}

export interface SiteOptions {
  /** With what is to stand around the stream. */
  readonly app?: Koa
  readonly hub?: Hub
  readonly stream?: StreamOptions
}

export interface Site {
  readonly hub: Hub
  /** Behind the cable. */
  readonly url: string
  readonly cable: TcpProxy
  /** The requests for the stream, in their order. */
  readonly requests: StreamRequest[]
}

export interface StreamRequest {
  readonly method: string
  readonly lastEventId: string
  /** What was answered; 404 while that is open. */
  readonly status: number
}

/** The least that may be asked for: tests wait for clients to come back. */
export const RETRY = 500

/** A site of an empty page (`/`) and an event stream (`/events`), behind a cable that can be pulled. */
export async function openSite(t: ExecutionContext, options: SiteOptions = {}): Promise<Site> {
  const { app = new Koa(), hub = createHub(), stream } = options
  const requests: StreamRequest[] = []
  const faults: Error[] = []
  app.on('error', (error: Error & { expose?: boolean }) => {
    if (!error.expose) faults.push(error)
  })
  app.use(emptyPage)
  app.use((ctx, next) => {
    requests.push({
      method: ctx.method,
      lastEventId: ctx.get('last-event-id'),
      get status() {
        return ctx.res.statusCode
      },
    })
    return next()
  })
  app.use(mount({ ...stream, hub }))

  t.teardown(async () => {
    await hub.close()
    if (faults.length > 0) throw new AggregateError(faults, 'Errors reached the application')
  })
  const { port } = await serve(app, t)
  const cable = await openTcpProxy(port, t)
  return { hub, url: cable.url, cable, requests }
}

function mount(options: StreamOptions & { hub: Hub }): EventStreamMiddleware {
  const { authenticate = false, subscribe = () => 'news', ...rest } = options
  const common = { retry: RETRY, subscribe, ...rest }
  return authenticate === false ? eventStream({ ...common, authenticate }) : eventStream({ ...common, authenticate })
}

/** Answers with a page that does nothing by itself, except where the stream is. */
export const emptyPage: Middleware = async (ctx, next) => {
  if (ctx.path === '/events') return next()
  ctx.type = 'html'
  ctx.body = '<!doctype html><title>empty</title><link rel="icon" href="data:,">'
}
