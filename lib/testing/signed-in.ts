import type { Context } from 'koa'
import type { Authenticator } from '../auth/authenticator.ts'
import { createIdentity, type Identity } from '../auth/identity.ts'

/** An identity whose scheme may be left out. */
export type TestIdentity = Omit<Identity, 'scheme'> & Partial<Pick<Identity, 'scheme'>>

/**
 * An authenticator for tests of resolvers and routes: it believes every request. Give it an identity, or a function that
 * answers one for a request, or `undefined` for a visitor who is not logged in.
 *
 * @throws {TypeError} in production, as `NODE_ENV` says: everybody would be logged in
 */
export function signedIn(who: TestIdentity | ((ctx: Context) => TestIdentity | undefined)): Authenticator {
  if (process.env.NODE_ENV === 'production') {
    throw new TypeError(
      'signedIn() believes every request, and is for tests: give `authenticate` another authenticator where `NODE_ENV` is `production`',
    )
  }
  return Object.freeze({
    scheme: 'test',
    challenge: 'Test realm="events"',
    ambient: false,
    authenticate: (ctx: Context) => {
      const found = typeof who === 'function' ? who(ctx) : who
      return found === undefined ? undefined : createIdentity({ scheme: 'test', ...found })
    },
  })
}
