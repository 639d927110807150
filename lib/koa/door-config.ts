import type { Authenticator, Revalidation } from '../auth/authenticator.ts'
import { isOfHeader } from '../auth/jwt/bearer-token.ts'
import { HubEngine } from '../hub/engine.ts'
import { flag, invalid, LONGEST_DURATION } from '../options.ts'
import { readOrigin } from './origin.ts'
import { checkRateLimiters, type RateLimiter, type RateLimiters } from './rate-limit.ts'

/** The default timeout of authentication, in milliseconds. */
export const DEFAULT_TIMEOUT = 10_000

/** The configuration of authentication. */
export interface AuthenticationConfig {
  readonly hub: HubEngine
  readonly authenticators: readonly Authenticator[]
  /** Milliseconds that authentication may take. */
  readonly timeout: number
  /** Other origins whose pages may use the user's cookie. */
  readonly origins: ReadonlySet<string>
  /** `stream` for streams and their tickets, `ordinary` for any other route. */
  readonly route: 'stream' | 'ordinary'
}

/** The checked options of the guards that all routes have, before and around authentication. */
export interface DoorConfig extends AuthenticationConfig {
  readonly requireSecure: boolean
  readonly rate: RateLimiters
}

/** The unchecked options of those guards. */
interface DoorOptions {
  readonly hub: unknown
  readonly origins?: readonly string[] | undefined
  readonly requireSecure?: boolean | undefined
  readonly limits?: { readonly rate?: { identity?: RateLimiter; address?: RateLimiter } } | undefined
}

/** @throws {TypeError} that names the wrong option */
export function checkDoor(
  { hub, origins = [], requireSecure, limits = {} }: DoorOptions,
  checked: Pick<DoorConfig, 'authenticators' | 'timeout' | 'route'>,
): DoorConfig {
  return {
    ...checked,
    hub: checkHub(hub),
    origins: checkOrigins(origins),
    requireSecure: flag('requireSecure', requireSecure, false),
    rate: checkRateLimiters(limits.rate),
  }
}

export function checkHub(hub: unknown): HubEngine {
  if (hub instanceof HubEngine) return hub
  throw new TypeError('`hub` must be a hub from createHub()')
}

function checkOrigins(origins: unknown): ReadonlySet<string> {
  if (Array.isArray(origins)) return new Set(origins.map(readOrigin))
  throw invalid('origins', 'a list of origins', origins)
}

/** Checks the authenticators of a route that requires a login and accepts no tickets. */
export function checkLogins(authenticate: unknown): readonly Authenticator[] {
  const logins = authenticate === false ? [] : checkAuthenticators(authenticate)
  if (logins.length === 0) throw invalid('authenticate', 'an authenticator, or a list of them', authenticate)
  // A ticket could otherwise be exchanged for the next one, and the login would never end.
  if (logins.every(login => login.redeem === undefined)) return logins
  throw new TypeError('`authenticate` must not take tickets: a ticket opens one stream, and is not a login')
}

export function checkAuthenticators(authenticate: unknown): readonly Authenticator[] {
  if (authenticate === false) return []
  if (authenticate === undefined) {
    throw new TypeError('`authenticate` is missing: give an authenticator, or `false` for a stream open to all')
  }
  const list: unknown[] = Array.isArray(authenticate) ? authenticate : [authenticate]
  if (list.length === 0) throw new TypeError('`authenticate` is an empty list: use `false` for a stream open to all')
  const authenticators = list.map(checkAuthenticator)
  if (authenticators.filter(isOfHeader).length > 1) {
    throw new TypeError(
      '`authenticate` has two bearerToken(), and the second would never be called: use one with `issuers`',
    )
  }
  // Credentials that a client sends on purpose take precedence over those that its browser adds automatically.
  const ambient = authenticators.filter(authenticator => authenticator.ambient)
  return Object.freeze([...authenticators.filter(authenticator => !authenticator.ambient), ...ambient])
}

function checkAuthenticator(authenticator: unknown): Authenticator {
  if (isAuthenticator(authenticator)) return authenticator
  throw invalid('authenticate', 'an authenticator, a list of them, or false', authenticator)
}

function isAuthenticator(value: unknown): value is Authenticator {
  if (typeof value !== 'object' || value === null) return false
  const { scheme, challenge, ambient, authenticate, suspend, resume, conceal, redeem, forget, revalidation } =
    value as Record<keyof Authenticator, unknown>
  return (
    typeof scheme === 'string' &&
    typeof challenge === 'string' &&
    typeof ambient === 'boolean' &&
    typeof authenticate === 'function' &&
    [suspend, resume, conceal, redeem, forget].every(method => method === undefined || typeof method === 'function') &&
    (revalidation === undefined || isRevalidation(revalidation))
  )
}

function isRevalidation(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { interval, grace, holds } = value as Record<keyof Revalidation, unknown>
  return isDuration(interval, 1) && isDuration(grace, 0) && typeof holds === 'function'
}

function isDuration(value: unknown, min: number): boolean {
  return typeof value === 'number' && value >= min && value <= LONGEST_DURATION
}
