import Router from '@koa/router'
import { topics } from '../events.ts'
import type { SignedIn } from '../middleware/signed-in.ts'
import type { Services } from '../services.ts'
import { render } from '../views/render.ts'
import { wantsJson } from './form.ts'

export function notificationsRoutes({ notifications, notify, hub }: Services): Router<SignedIn> {
  const router = new Router<SignedIn>()

  router.get('/notifications', async ctx => {
    render(ctx, 'notifications', { notifications: await notifications.list(ctx.state.account.id) })
  })

  router.post('/notifications/test', async ctx => {
    const { id, name } = ctx.state.account
    await notify(id, `Hello ${name.split(' ')[0] ?? name}, this one is for nobody but you.`)
    ctx.status = 303
    ctx.redirect('/notifications')
  })

  router.post('/notifications/read', async ctx => {
    const { id } = ctx.state.account
    await notifications.markAllRead(id)
    ctx.set('Event-ID', await hub.publish(topics.user(id), { event: 'notifications.read', data: { unread: 0 } }))
    if (wantsJson(ctx)) {
      ctx.body = { unread: 0 }
      return
    }
    ctx.status = 303
    ctx.redirect('/notifications')
  })

  return router
}
