import type { Middleware } from 'koa'
import type { Account } from '../domain/accounts.ts'
import type { Services } from '../services.ts'
import { sessionOf } from '../sessions/session.ts'

/** `ctx.state` where somebody may be logged in. */
export interface Visitor {
  account?: Account
  unread?: number
  /** Where the log stood before anything else was asked for: the page's stream goes on from there. */
  cursor?: string
}

/** Finds out whose session it is, for the pages. */
export function visitor({ accounts, notifications, hub }: Services): Middleware<Visitor> {
  return async (ctx, next) => {
    const account = accounts.find(sessionOf(ctx).userId ?? '')
    if (account) {
      const cursor = await hub.cursor()
      Object.assign(ctx.state, { account, cursor, unread: await notifications.unread(account.id) })
    }
    await next()
  }
}
