import type { Context } from 'koa'
import type { Identity } from '../auth/identity.ts'

interface TestLogin {
  readonly hub: object
  readonly identity: Identity
}

// Keyed by Node's request object, and by nothing in the request: no client can log itself in this way.
const logins = new WeakMap<object, TestLogin>()

/** Logs one request in, on the authenticated routes of one hub. For the test kit, whose server knows its clients. */
export function logIn(request: object, hub: object, identity: Identity): void {
  logins.set(request, { hub, identity })
}

/** The identity that a test has logged in for a request to a route of this hub; never in production. */
export function testLoginOf({ req }: Context, hub: object): Identity | undefined {
  const login = logins.get(req)
  return login?.hub === hub && !isProduction() ? login.identity : undefined
}

/** @throws {TypeError} if `NODE_ENV` is `production` */
export function refuseInProduction(what: string): void {
  if (isProduction()) throw new TypeError(`${what} is for tests only: it is disabled if \`NODE_ENV\` is \`production\``)
}

function isProduction(): boolean {
  return process.env.NODE_ENV === 'production'
}
