import type { Context } from 'koa'
import { callInTime, callNow } from '../application.ts'
import { AuthenticationError } from '../auth/authentication-error.ts'
import type { Authenticator } from '../auth/authenticator.ts'
import { frozenIdentity, hasEnded, type Identity } from '../auth/identity.ts'
import type { RefusalReason } from '../hub/lifecycle.ts'
import { safeError } from '../safe-error.ts'
import type { CloseReason } from '../stream/close-reason.ts'
import { arrivalOf } from './arrival.ts'
import { noteCaller } from './known-caller.ts'
import { foreignOrigin, isLinked, mayUseCookie, strayPreflight } from './origin.ts'
import { secretsOf, secretsWithQueryOf } from './request-secrets.ts'
import type { AuthenticationConfig } from './door-config.ts'
import { statusOf } from './response.ts'
import { testLoginOf } from './test-login.ts'

/** An authenticated caller; without an identity if the stream is open to all. */
export interface Caller {
  readonly identity: Identity | undefined
  readonly authenticator: Authenticator | undefined
}

/** A refusal, as it is sent to the client and reported by the hub. */
export interface Refusal {
  readonly reason: RefusalReason
  readonly status: 400 | 401 | 403 | 406 | 429 | 503
  /** When the client may retry, in milliseconds. */
  readonly wait?: number
  readonly challenges?: readonly string[]
  readonly error?: unknown
}

/**
 * Lets the authenticators remove their credentials from the URL, before anything else.
 *
 * @throws what an authenticator throws, for Koa to answer: the credentials may still be visible in the URL
 */
export function conceal(ctx: Context, { authenticators, hub }: AuthenticationConfig): void {
  try {
    for (const authenticator of authenticators) callNow('`conceal`', () => authenticator.conceal?.(ctx))
  } catch (error) {
    // The credentials may still be in the URL.
    throw told(hub, safeError(error, secretsWithQueryOf(ctx)))
  }
}

/**
 * Stops the request from extending a login until `resume`, so that no refusal or error on the way extends it.
 *
 * @throws what an authenticator throws, for Koa to answer
 */
export function suspend(ctx: Context, { authenticators, hub }: AuthenticationConfig): void {
  try {
    for (const authenticator of authenticators) callNow('`suspend`', () => authenticator.suspend?.(ctx))
  } catch (error) {
    throw told(hub, safeError(error, secretsWithQueryOf(ctx)))
  }
}

/** Lets the request extend its login again: it was granted what it asked for. */
export function resume(
  ctx: Context,
  { authenticators, hub, route }: AuthenticationConfig,
  { identity }: Pick<Caller, 'identity'>,
): void {
  for (const authenticator of authenticators) {
    try {
      callNow('`resume`', () => authenticator.resume?.(ctx, route))
    } catch (error) {
      hub.failed('resume', safeError(error, secretsOf(ctx, identity)))
    }
  }
}

/** Authenticates the caller within the timeout. Turns every failure of credentials into a refusal. */
export async function authenticate(ctx: Context, config: AuthenticationConfig): Promise<Caller | Refusal> {
  const { authenticators, hub } = config
  if (authenticators.length === 0) return { identity: undefined, authenticator: undefined }
  try {
    return await inTime(config, 'authentication did not finish', () => ask(ctx, config))
  } catch (failure) {
    const error = safeError(failure, secretsOf(ctx, undefined))
    if (error instanceof AuthenticationError) return refusalOf(error, authenticators)
    throw told(hub, error)
  }
}

/** Reports an error of the application before Koa answers it. */
function told(hub: AuthenticationConfig['hub'], error: Error): Error {
  hub.refused('unavailable', statusOf(error), error)
  return error
}

/** Calls the authenticators in their order. */
async function ask(ctx: Context, config: AuthenticationConfig): Promise<Caller | Refusal> {
  const tester = testLoginOf(ctx, config.hub)
  if (tester !== undefined) return standing({ identity: tester, authenticator: undefined }, config)
  for (const authenticator of config.authenticators) {
    const answer: unknown = await authenticator.authenticate(ctx)
    // In JavaScript, `ctx.user && { … }` returns null, false or an empty string for nobody.
    if (!answer) continue
    const identity = frozenIdentity(answer)
    noteCaller(ctx, identity)
    const mayBeLinked = config.route === 'ordinary' && isLinked(ctx)
    if (authenticator.ambient && !mayBeLinked && !mayUseCookie(ctx, config.origins)) {
      return { reason: 'origin', status: 403, error: foreignOrigin(ctx, config.origins) }
    }
    return standing({ identity, authenticator }, config)
  }
  const error = strayPreflight(ctx)
  return { ...unauthenticated(config.authenticators), ...(error !== undefined && { error }) }
}

async function standing(caller: Caller, config: AuthenticationConfig): Promise<Caller | Refusal> {
  return (await isRevoked(caller, config)) ? ended(caller, config) : caller
}

/** The refusal of a request without known credentials. */
function unauthenticated(authenticators: readonly Authenticator[]): Refusal {
  return { reason: 'unauthenticated', status: 401, challenges: authenticators.map(({ challenge }) => challenge) }
}

/** The refusal of a request whose credentials were valid, but have expired or been revoked. */
export function ended({ authenticator }: Caller, { authenticators }: AuthenticationConfig): Refusal {
  const refusal = unauthenticated(authenticators)
  return authenticator?.rejection === undefined ? refusal : { ...refusal, challenges: [authenticator.rejection] }
}

/** Redeems single-use credentials. Returns a refusal if they were used before. */
export async function redeem(ctx: Context, config: AuthenticationConfig, caller: Caller): Promise<Refusal | undefined> {
  const { identity, authenticator } = caller
  if (identity === undefined || authenticator?.redeem === undefined) return undefined
  try {
    await inTime(config, 'the credentials could not be redeemed', () => authenticator.redeem?.(ctx, identity))
    return undefined
  } catch (failure) {
    const error = safeError(failure, secretsOf(ctx, identity))
    if (error instanceof AuthenticationError) return refusalOf(error, config.authenticators)
    throw told(config.hub, error)
  }
}

/**
 * Whether the identity is valid at this moment: the login may have ended while the resolver was running. Rejects if
 * that cannot be determined within the timeout.
 */
export async function stillHolds(caller: Caller, config: AuthenticationConfig): Promise<boolean> {
  const { identity, authenticator } = caller
  if (identity === undefined) return true
  if (hasEnded(identity, config.hub.clock.now())) return false
  const revalidation = authenticator?.revalidation
  return inTime(config, 'the login could not be revalidated', async () => {
    if (await isRevoked(caller, config)) return false
    const holds: unknown = revalidation === undefined || (await revalidation.holds(identity))
    return Boolean(holds)
  })
}

/**
 * Why a login has ended since its request arrived, if it has. `unverifiable` if it may have been ended without this
 * instance having heard of it, unless `stillHolds` revalidates the login anyway.
 */
export function endingOf(
  ctx: Context,
  { hub }: AuthenticationConfig,
  { identity, authenticator }: Caller,
): CloseReason | undefined {
  const ending = identity && hub.endings.since(arrivalOf(ctx), identity)
  return ending === 'unverifiable' && authenticator?.revalidation !== undefined ? undefined : ending
}

async function isRevoked({ identity }: Caller, { hub }: AuthenticationConfig): Promise<boolean> {
  if (identity?.token === undefined) return false
  try {
    return await hub.isRevoked(identity.token)
  } catch (cause) {
    // The error of a store may name the token.
    const safe = safeError(cause, [identity.token, identity.session])
    throw new AuthenticationError('unavailable', 'cannot check whether the token was revoked', { cause: safe })
  }
}

/**
 * Stops a request that gets no stream from extending its login. It is already answered, so an error is only reported.
 */
export async function forget(ctx: Context, config: AuthenticationConfig, caller: Caller): Promise<void> {
  const { identity, authenticator } = caller
  try {
    await inTime(config, '`forget` did not finish', () => authenticator?.forget?.(ctx))
  } catch (error) {
    config.hub.failed('forget', safeError(error, secretsOf(ctx, identity)))
  }
}

/** Calls a function within the timeout of authentication. */
export function inTime<T>(
  { hub, timeout }: AuthenticationConfig,
  failure: string,
  call: () => T | PromiseLike<T>,
): Promise<T> {
  const late = () => new AuthenticationError('unavailable', `${failure} within ${String(timeout)} ms`)
  return callInTime({ clock: hub.clock, ms: timeout, what: 'authentication', late }, call)
}

const REASONS = { 400: 'unauthenticated', 401: 'unauthenticated', 403: 'forbidden', 503: 'unavailable' } as const

function refusalOf(error: AuthenticationError, authenticators: readonly Authenticator[]): Refusal {
  const { status, challenge } = error
  const challenges = status === 503 ? [] : challenge === undefined ? authenticators.map(a => a.challenge) : [challenge]
  return { reason: REASONS[status], status, challenges, error }
}
