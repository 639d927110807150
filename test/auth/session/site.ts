import type { ExecutionContext } from 'ava'
import Koa, { type Context } from 'koa'
import session, { type CreateSessionOptions } from 'koa-session'
import type { Authenticator } from '../../../lib/auth/authenticator.ts'
import type { Identity } from '../../../lib/auth/identity.ts'
import { serve } from '../../support/http.ts'
import { readAnswer, whoAmI, type Answer } from '../who-am-i.ts'

/** A session store in memory that counts what is asked of it. */
export class CountingStore {
  readonly sessions = new Map<string, Record<string, unknown>>()
  reads = 0
  writes = 0

  // Each answer is a copy, as from a store in another process. A test may put a failing store in its place.
  get = async (key: string): Promise<Record<string, unknown> | undefined> => {
    this.reads++
    const data = this.sessions.get(key)
    return data && structuredClone(data)
  }

  readonly set = async (key: string, data: Record<string, unknown>): Promise<void> => {
    this.writes++
    this.sessions.set(key, structuredClone(data))
  }

  readonly destroy = async (key: string): Promise<void> => {
    this.writes++
    this.sessions.delete(key)
  }
}

/** One client of the site, with its cookies. */
export interface Visitor {
  /** Asks who the site takes it for. */
  whoAmI(path?: string): Promise<Answer>
  visit(path: string): Promise<Response>
}

export interface Site {
  /** What the authenticator has answered, in order. */
  readonly identities: Identity[]
  visitor(cookies?: Record<string, string>): Visitor
}

/**
 * A site with koa-session, a log-in (`/login?user=…`) and a log-out, where `/me` shows what the authenticator answers
 * and `/login-me` logs in and shows it within one request.
 */
export async function openSite(
  t: ExecutionContext,
  authenticator: Authenticator,
  options: CreateSessionOptions,
  app = new Koa(),
): Promise<Site> {
  const identities: Identity[] = []
  const answer = whoAmI(authenticator, identities)
  app.keys = ['a key to sign cookies with']
  app.silent = true
  app.use(session(options, app))
  app.use(async (ctx: Context) => {
    if (ctx.path === '/me') return answer(ctx)
    if (ctx.path === '/logout') ctx.session = null
    else ctx.session.userId = ctx.query.user
    if (ctx.path === '/regenerate') await ctx.session.regenerate()
    if (ctx.path === '/login-me') return answer(ctx)
    if (options.autoCommit === false) await ctx.session?.manuallyCommit()
    ctx.body = 'done'
  })
  const { url } = await serve(app, t)
  return { identities, visitor: cookies => createVisitor(url, new Map(Object.entries(cookies ?? {}))) }
}

function createVisitor(url: string, cookies: Map<string, string>): Visitor {
  async function visit(path: string): Promise<Response> {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(url + path, { headers: { cookie } })
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (name !== undefined && value !== undefined) cookies.set(name, value)
    }
    return response
  }
  return { visit, whoAmI: async (path = '/me') => readAnswer(await visit(path)) }
}
