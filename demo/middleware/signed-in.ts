import type { Middleware } from 'koa'
import type { Account, Accounts } from '../domain/accounts.ts'
import type { Notifications } from '../domain/notifications.ts'
import { sessionOf } from '../sessions/session.ts'

/** `ctx.state` of a page that only somebody who is logged in gets to see. */
export interface SignedIn {
  account: Account
  unread: number
}

/** Turns visitors without a login away: to the login page, and back to where they wanted to go. */
export function signedIn({
  accounts,
  notifications,
}: {
  accounts: Accounts
  notifications: Notifications
}): Middleware<SignedIn> {
  return (ctx, next) => {
    const account = accounts.find(sessionOf(ctx).userId ?? '')
    if (account) {
      ctx.state.account = account
      ctx.state.unread = notifications.unread(account.id)
      return next()
    }
    if (ctx.method !== 'GET' || !ctx.accepts('html')) ctx.throw(401)
    ctx.redirect(ctx.path === '/' ? '/login' : `/login?next=${encodeURIComponent(ctx.url)}`)
    return undefined
  }
}
