import type { EventStreamMiddleware } from '../koa/middleware.ts'
import type { Fleet } from './fleet.ts'
import type { OpsConfig } from './options.ts'
import { viewStream, type Login } from './view-stream.ts'

/** Pages that are open on an instance at once, at most. */
const MOST = 20
// Milliseconds between two looks at all instances: the more there are, the longer, since each hears all answers.
const EVERY = 2_000
const EVERY_PER_INSTANCE = 100

/** The page's own stream: what all instances say, again and again. */
export function overviewRoute(config: OpsConfig, fleet: Fleet, login: Login): EventStreamMiddleware {
  return viewStream(config, login, {
    most: MOST,
    actionOf: () => ({ type: 'view' }),
    begin: (_, tell) => async () => {
      const overview = await fleet.overview()
      tell('overview', overview)
      return Math.max(EVERY, overview.instances.length * EVERY_PER_INSTANCE)
    },
  })
}
