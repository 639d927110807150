import type { Context } from 'koa'
import type { Authenticator } from '../auth/authenticator.ts'
import { createIdentity, type Identity } from '../auth/identity.ts'
import { refuseInProduction } from '../koa/test-login.ts'

/** An identity whose scheme may be left out. */
export type TestIdentity = Omit<Identity, 'scheme'> & Partial<Pick<Identity, 'scheme'>>

/**
 * An authenticator for tests of resolvers and routes: it believes every request. Give it an identity, or a function that
 * answers one for a request, or `undefined` for a visitor who is not logged in. Where the application has its own
 * authenticators, leave those and open streams with `as`: see `testStreams()`.
 *
 * @throws {TypeError} in production, as `NODE_ENV` says, and for each request where that is said later: everybody would be
 *   logged in
 */
export function signedIn(who: TestIdentity | ((ctx: Context) => TestIdentity | undefined)): Authenticator {
  refuseInProduction('signedIn() for `authenticate`')
  return Object.freeze({
    scheme: 'test',
    challenge: 'Test realm="events"',
    ambient: false,
    authenticate: (ctx: Context) => {
      refuseInProduction('signedIn() for `authenticate`')
      const found = typeof who === 'function' ? who(ctx) : who
      return found === undefined ? undefined : testIdentity(found)
    },
  })
}

/** @throws {TypeError} for a field that is wrong */
export function testIdentity(who: TestIdentity): Identity {
  return createIdentity({ scheme: 'test', ...who })
}
