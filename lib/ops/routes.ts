import type { Context, Middleware } from 'koa'
import type { Authenticator } from '../auth/authenticator.ts'
import type { Identity } from '../auth/identity.ts'
import type { Logins } from '../koa/options.ts'
import { isAllowed } from '../koa/permission.ts'
import { identityGuard, type Stands } from '../koa/require-identity.ts'
import { setNotAllowed } from '../koa/response.ts'
import type { EventMap } from '../wire/event.ts'
import { installAgent } from './agent.ts'
import { answerAction, answerStreams } from './answers.ts'
import { Fleet } from './fleet.ts'
import { checkOps, type OpsOptions } from './options.ts'
import { overviewRoute } from './overview-route.ts'
import { isFile, sendFile, sendPage } from './page/files.ts'
import { traceRoute } from './trace-route.ts'

/**
 * A page for operators: all instances, their streams, topics, rates and lag, slow readers and who is connected; the trace of one
 * identity for a minute; cut, disconnect, drain. One Koa middleware for everything under a prefix:
 *
 *     router.all('/ops{/*path}', opsRoutes({ hub, authenticate, may: ({ id }) => admins.has(id) }))
 *
 * Mount it on every instance. While nobody looks it subscribes to nothing, and has no timer but the one by which instances know
 * each other, from the first look on.
 *
 * Nothing is open unless `may` allows it at that moment: 403 where it denies, 503 where it throws or takes too long. Other refusals
 * are those of `requireIdentity()`. What is shown has no address, no session and no token in it, and no data of events unless
 * `eventData` is set.
 *
 * @throws {TypeError} at start-up, for a wrong option
 */
export function opsRoutes<
  Events extends object = EventMap,
  Login extends Logins = Authenticator | readonly Authenticator[],
>(options: OpsOptions<Events, Login>): Middleware {
  const config = checkOps(options)
  const { may: _, eventData: __, refuse, ...rest } = options
  const login = { ...rest, hub: config.hub }
  const guard = identityGuard({ ...login, ...(refuse && { refuse }) })
  installAgent(config.hub)
  const fleet = new Fleet(config.hub)
  const events = overviewRoute(config, fleet, login)
  const trace = traceRoute(config, fleet, login)

  const view = async (ctx: Context, answer: (stands: Stands) => void | Promise<void>): Promise<void> => {
    if (!isGet(ctx, 'GET, HEAD')) return
    await guard(ctx, async stands => {
      const identity = ctx.state.identity as Identity
      const may = () => config.may(identity, { type: 'view' })
      if (!(await isAllowed(ctx, config, may, { error: 'not allowed to see this page' }))) return
      // It may have taken its time, and the login have ended meanwhile.
      if (await stands()) await answer(stands)
    })
  }

  return async ctx => {
    const name = ctx.path.slice(ctx.path.lastIndexOf('/') + 1)
    if (name === 'events' || name === 'trace') {
      if (isGet(ctx, 'GET, HEAD')) await (name === 'events' ? events : trace)(ctx)
    } else if (name === 'actions') {
      if (ctx.method === 'POST') await guard(ctx, stands => answerAction(ctx, config, fleet, stands))
      else setNotAllowed(ctx, 'POST')
    } else if (name === 'streams') await view(ctx, stands => answerStreams(ctx, fleet, stands))
    else if (isFile(name))
      await view(ctx, () => {
        sendFile(ctx, name)
      })
    else
      await view(ctx, () => {
        sendPage(ctx)
      })
  }
}

function isGet(ctx: Context, allowed: string): boolean {
  const isOne = ctx.method === 'GET' || ctx.method === 'HEAD'
  if (!isOne) setNotAllowed(ctx, allowed)
  return isOne
}
