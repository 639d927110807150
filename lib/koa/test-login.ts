import type { Context } from 'koa'
import type { Identity } from '../auth/identity.ts'

interface TestLogin {
  readonly hub: object
  readonly identity: Identity
}

// By the request as Node made it, and not by anything in it: no client can send what opens a door here.
const logins = new WeakMap<object, TestLogin>()

/** Logs one request in, at the mounts of one hub that ask who is calling. For the test kit, whose server knows its clients. */
export function logIn(request: object, hub: object, identity: Identity): void {
  logins.set(request, { hub, identity })
}

/** Whom a test has logged in for a request to a mount of this hub: nobody in production. */
export function testLoginOf({ req }: Context, hub: object): Identity | undefined {
  const login = logins.get(req)
  return login?.hub === hub && !isProduction() ? login.identity : undefined
}

/** @throws {TypeError} in production, as `NODE_ENV` says */
export function refuseInProduction(what: string): void {
  if (isProduction()) throw new TypeError(`${what} is for tests, and refused where \`NODE_ENV\` is \`production\``)
}

function isProduction(): boolean {
  return process.env.NODE_ENV === 'production'
}
