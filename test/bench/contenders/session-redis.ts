import { once } from 'node:events'
import { Redis } from 'ioredis'
import redisStore from 'koa-redis'
import { createSession } from 'koa-session'
import { sessionCookie, watchSessions } from 'koa-event-stream'
import { redisBroker } from 'koa-event-stream/redis'
import { SESSIONS } from '../crowd/sessions.ts'
import type { Application, ApplicationOptions } from '../server/application.ts'
import { library } from './library.ts'

// Logouts end streams at once, by way of `watchSessions`.
const REVALIDATE = 120_000
// Who comes back to a busy server in a restart may have to try twice, each time as late as the drain told it.
const HISTORY = 900_000

/** This library as docs/cookie-site.md has it: sessions and the log are in one Redis, which all processes share. */
export async function create(options: ApplicationOptions): Promise<Application> {
  if (options.redis === undefined) throw new TypeError('`redis` is missing')
  const client = new Redis(options.redis, { maxRetriesPerRequest: 1, enableOfflineQueue: false })
  client.on('error', error => console.error(error.message))
  await once(client, 'ready')
  return library(options, {
    broker: redisBroker({ client: options.redis, history: { age: HISTORY } }),
    use: (app, hub) => createSession({ ...SESSIONS, store: watchSessions(redisStore({ client }), hub) }, app),
    authenticate: sessionCookie({
      identify: ({ userId }: { userId?: string }) => userId && { id: userId },
      revalidate: REVALIDATE,
    }),
  })
}
