import { createSession } from 'koa-session'
import { sessionCookie } from 'koa-event-stream'
import type { Application, ApplicationOptions } from '../server/application.ts'
import { library } from './library.ts'

const HOUR = 3_600_000

/** This library behind koa-session with a store in memory; everybody has a session of their own. */
export function create(options: ApplicationOptions): Application {
  const sessions = new Map<string, { userId: string; _expire: number; _maxAge: number }>()
  const store = {
    get: (key: string) => Promise.resolve(sessions.get(key)),
    set: () => Promise.resolve(),
    destroy: () => Promise.resolve(),
  }
  const application = library(options, {
    use: app => createSession({ store, signed: false, prefix: 'key-', key: 'session' }, app),
    authenticate: sessionCookie({
      identify: ({ userId }: { userId?: string }) => userId && { id: userId },
    }),
  })
  return {
    ...application,
    credentials: i => {
      sessions.set(`key-${i}`, { userId: `user-${i}`, _expire: Date.now() + HOUR, _maxAge: HOUR })
      return `Cookie: session=key-${i}\r\n`
    },
  }
}
