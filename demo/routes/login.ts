import Router from '@koa/router'
import type { Context } from 'koa'
import { DEMO_LOGINS } from '../domain/accounts.ts'
import type { LoginGuard } from '../login-guard.ts'
import type { Services } from '../services.ts'
import { endSession, sessionOf } from '../sessions/session.ts'
import { render } from '../views/render.ts'
import { field } from './form.ts'

export function loginRoutes({ notifications }: Services, guard: LoginGuard): Router {
  const router = new Router()

  router.get('/login', ctx => {
    if (sessionOf(ctx).userId) {
      ctx.redirect('/')
      return
    }
    showForm(ctx, {
      next: ctx.query.next ?? '/',
      notice: ctx.query.ended === undefined ? '' : 'You have been logged out.',
    })
  })

  router.post('/login', async ctx => {
    const username = field(ctx, 'username')
    const attempt = await guard.attempt(username, field(ctx, 'password'), ctx.ip)
    if (attempt.outcome !== 'welcome') {
      const late = attempt.outcome === 'wait'
      ctx.status = late ? 429 : 401
      const error = late ? 'Too many attempts. Please wait a minute.' : 'That user name and password do not match.'
      showForm(ctx, { next: field(ctx, 'next'), username, error })
      return
    }
    const session = sessionOf(ctx)
    await session.regenerate()
    session.userId = attempt.account.id
    ctx.status = 303
    ctx.redirect(localPath(field(ctx, 'next'), ctx.origin))
  })

  // For scripts: whether there still is a login, and what the page's header shows of it.
  router.get('/session', async ctx => {
    const { userId } = sessionOf(ctx)
    if (userId === undefined) return ctx.throw(401)
    ctx.set('Cache-Control', 'no-store')
    ctx.body = { user: userId, unread: await notifications.unread(userId) }
  })

  // Destroying the session closes its event streams, in every tab: see `watchSessions` in app.ts.
  router.post('/logout', ctx => {
    endSession(ctx)
    ctx.status = 303
    ctx.redirect('/login?ended')
  })

  return router
}

function showForm(ctx: Context, data: Record<string, unknown>): void {
  render(ctx, 'login', { logins: DEMO_LOGINS, username: '', error: '', notice: '', ...data })
}

/** Where to go after the login. Never to another site, however the parameter was written. */
function localPath(next: string, origin: string): string {
  if (!URL.canParse(next, origin)) return '/'
  const url = new URL(next, origin)
  const path = url.pathname + url.search
  // A path that begins with two slashes, such as that of `/.//evil.example`, is another site's address for browsers.
  return url.origin === origin && !path.startsWith('//') ? path : '/'
}
