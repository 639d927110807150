import type { Authenticator } from '../auth/authenticator.ts'
import type { Identity } from '../auth/identity.ts'
import type { HubEngine } from '../hub/engine.ts'
import { checkHub, DEFAULT_TIMEOUT } from '../koa/door-config.ts'
import type { IdentityOf, Logins } from '../koa/options.ts'
import type { RequireIdentityOptions } from '../koa/require-identity.ts'
import { duration, flag, fn, knownKeys } from '../options.ts'
import type { EventMap } from '../wire/event.ts'

/** What somebody is about to do on the page, or to see there. */
export type OpsAction =
  /** See the page, its numbers, and who is connected. */
  | { readonly type: 'view' }
  /** Follow what happens to the streams of an identity, for a minute. */
  | { readonly type: 'trace'; readonly identity: string }
  /** End a stream by its id. Its client comes back unless it is refused then. */
  | { readonly type: 'cut'; readonly stream: string }
  /** End all streams of an identity. Its clients come back unless they are refused then. */
  | { readonly type: 'disconnect'; readonly identity: string }
  /** Drain an instance for good: it ends its streams and takes no new ones until its process is replaced. */
  | { readonly type: 'drain'; readonly instance: string }

/** Options of `opsRoutes()`. */
export interface OpsOptions<
  Events extends object = EventMap,
  Login extends Logins = Authenticator | readonly Authenticator[],
> extends RequireIdentityOptions<Events, Login> {
  /**
   * Whether somebody may do this, asked at the moment of each action; for `view`, at each request and every few seconds while
   * the page is open. `true` alone does. One that throws, or takes longer than `limits.timeout`, is a `fault`, and nothing
   * is shown or done.
   */
  may: (identity: IdentityOf<Login>, action: OpsAction) => boolean | Promise<boolean>
  /** Whether a trace shows the data of events, too, of each the first 1,024 characters. Default `false`. */
  eventData?: boolean
}

/** The checked options. */
export interface OpsConfig {
  readonly hub: HubEngine
  readonly may: (identity: Identity, action: OpsAction) => unknown
  readonly eventData: boolean
  /** Milliseconds that `may` has. */
  readonly timeout: number
}

const KEYS = ['hub', 'authenticate', 'may', 'eventData', 'origins', 'requireSecure', 'limits', 'refuse'] as const

/** @throws {TypeError} that names the wrong option */
export function checkOps<Events extends object, Login extends Logins>(options: OpsOptions<Events, Login>): OpsConfig {
  knownKeys('opsRoutes', options, KEYS)
  return Object.freeze({
    hub: checkHub(options.hub),
    // What identities look like is for the compiler alone.
    may: fn('may', options.may) as OpsConfig['may'],
    eventData: flag('eventData', options.eventData, false),
    timeout: duration('limits.timeout', options.limits?.timeout, { default: DEFAULT_TIMEOUT }),
  })
}
