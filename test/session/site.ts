import type { ExecutionContext } from 'ava'
import Koa, { type Context, type Middleware } from 'koa'
import {
  createHub,
  eventStream,
  sessionCookie,
  type AuthenticatedOptions,
  type Hub,
  type SessionCookieOptions,
} from 'koa-event-stream'
import session, { type CreateSessionOptions } from 'koa-session'
import { listen, type Told } from '../support/hub-events.ts'
import { serve } from '../support/http.ts'
import { Visitor } from '../support/visitor.ts'

/** What the site keeps in a session. */
export interface Data {
  readonly userId?: string
}

export interface SiteOptions {
  readonly app?: Koa
  readonly hub?: Hub
  /** Options of koa-session. Without a store the cookie is the session. */
  readonly session?: CreateSessionOptions
  /** Options of `sessionCookie()`. */
  readonly login?: Partial<SessionCookieOptions<Data>>
  /** Options of `eventStream()`. Every stream gets the topic `news`, unless told otherwise. */
  readonly stream?: Partial<AuthenticatedOptions>
  /** Middleware between koa-session and the routes. */
  readonly inner?: Middleware
}

export interface Site extends Told {
  readonly hub: Hub
  readonly url: string
  /** What reached the application's `error` event. A test that expects some takes them out; what is left fails it. */
  readonly errors: unknown[]
  visitor(): Visitor
  loggedIn(user: string): Promise<Visitor>
}

/** `identity` for `sessionCookie()`, as most sites have it. */
export function identify({ userId }: Data): { id: string } | undefined {
  return userId ? { id: userId } : undefined
}

/**
 * A site with a login (`/login?user=…`), `/regenerate`, a log-out, a page that leaves the session alone (`/page`) and
 * streams (`/events`).
 */
export async function openSite(t: ExecutionContext, options: SiteOptions = {}): Promise<Site> {
  const { app = new Koa(), hub = createHub(), inner } = options
  const errors: unknown[] = []
  app.keys = ['a key to sign cookies with']
  app.on('error', (error: { expose?: boolean }) => {
    // As Koa's own report has it: what the client is told of is no failure of the application.
    if (error.expose !== true) errors.push(error)
  })
  app.use(session(options.session ?? {}, app))
  if (inner) app.use(inner)
  app.use(pages(options.session?.autoCommit === false))
  app.use(
    eventStream({
      hub,
      authenticate: sessionCookie({ identify, ...options.login }),
      subscribe: () => 'news',
      ...options.stream,
    }),
  )
  const { url } = await serve(app, t)
  t.teardown(() => {
    if (errors.length > 0) throw errors[0]
  })
  const visitor = () => new Visitor(url)
  return {
    hub,
    url,
    ...listen(hub),
    errors,
    visitor,
    async loggedIn(user) {
      const somebody = visitor()
      await somebody.visit(`/login?user=${user}`)
      return somebody
    },
  }
}

function pages(commitsByHand: boolean): Middleware {
  return async (ctx: Context, next) => {
    if (ctx.path === '/events') {
      await next()
      return
    }
    if (ctx.path === '/login' || ctx.path === '/regenerate') ctx.session.userId = ctx.query.user
    if (ctx.path === '/regenerate') await ctx.session.regenerate()
    if (ctx.path === '/logout') ctx.session = null
    if (commitsByHand) await ctx.session?.manuallyCommit()
    ctx.body = 'done'
  }
}
