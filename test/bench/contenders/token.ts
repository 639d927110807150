import jwt from 'jsonwebtoken'
import { bearerToken } from 'koa-event-stream'
import type { Application, ApplicationOptions } from '../server/application.ts'
import { library } from './library.ts'

const SECRET = 'a secret of this benchmark, and of nothing else'

/** This library with bearer tokens; everybody has one of their own. */
export function create(options: ApplicationOptions): Application {
  const application = library(options, {
    authenticate: bearerToken({ key: SECRET, algorithms: ['HS256'], issuer: 'bench', audience: 'bench' }),
  })
  return {
    ...application,
    credentials: i => {
      const claims = { subject: `user-${i}`, issuer: 'bench', audience: 'bench', expiresIn: '1h' } as const
      return `Authorization: Bearer ${jwt.sign({}, SECRET, claims)}\r\n`
    },
  }
}
