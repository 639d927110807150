import { once } from 'node:events'
import type { Server } from 'node:http'
import Koa from 'koa'
import { createHub, eventStream, type Hub } from 'koa-event-stream'
import { redisBroker } from 'koa-event-stream/redis'
import { serve } from '../support/http.ts'
import { PATIENT } from '../support/progress.ts'
import { startRedis } from '../support/redis-server.ts'
import type { Scope } from '../support/scope.ts'

export const TOPIC = 'news'

/** An instance of a site, as our configurations expect it: streams at `/events`, its health at `/ready`. */
export interface Instance {
  readonly hub: Hub
  readonly server: Server
  readonly port: number
}

/** Two instances on one log. Each says which one it is, `0` or `1`, whom it has been asked as, and by whom. */
export async function openSite(scope: Scope, heartbeat?: number | false): Promise<[Instance, Instance]> {
  const redis = await startRedis(scope)
  const open = async (name: string): Promise<Instance> => {
    const hub = createHub({ broker: redisBroker({ client: redis.url, ...PATIENT }) })
    const app = new Koa({ proxy: true })
    app.use(async (ctx, next) => {
      ctx.set({ 'X-Instance': name, 'X-Host': ctx.host, 'X-Client': ctx.ip })
      if (ctx.path !== '/ready') return next()
      ctx.status = hub.ready ? 200 : 503
    })
    app.use(
      eventStream({
        hub,
        authenticate: false,
        subscribe: () => TOPIC,
        ...(heartbeat !== undefined && { heartbeat }),
      }),
    )
    if (!hub.ready) await once(hub, 'ready')
    const { server, port } = await serve(app, scope)
    scope.teardown(() => hub.close())
    return { hub, server, port }
  }
  return [await open('0'), await open('1')]
}

/** Which of the instances has answered, and which has not. */
export function servedBy(
  site: readonly [Instance, Instance],
  headers: Readonly<Record<string, unknown>>,
): { one: Instance; other: Instance } {
  const [one, other] = headers['x-instance'] === '0' ? site : ([site[1], site[0]] as const)
  return { one, other }
}
