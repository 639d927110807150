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

/** Somebody who may have a stream; nobody in particular where the stream is open to all. */
export interface Caller {
  readonly identity: Identity | undefined
  readonly authenticator: Authenticator | undefined
}

/** A refusal, as it will be answered and told. */
export interface Refusal {
  readonly reason: RefusalReason
  readonly status: 400 | 401 | 403 | 406 | 429 | 503
  /** When the client may come back, in milliseconds. */
  readonly wait?: number
  readonly challenges?: readonly string[]
  readonly error?: unknown
}

/**
 * Has the authenticators take their credentials out of the URL, before anything else.
 *
 * @throws what one of them throws, for Koa to answer: the credentials may still be where everybody can read them
 */
export function conceal(ctx: Context, { authenticators, hub }: AuthenticationConfig): void {
  try {
    for (const authenticator of authenticators) callNow('`conceal`', () => authenticator.conceal?.(ctx))
  } catch (error) {
    // They may be in the URL still.
    throw told(hub, safeError(error, secretsWithQueryOf(ctx)))
  }
}

/**
 * Has the request prolong no login until `resume`: whatever way it is refused, or fails, it does not get there.
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

/** Lets the request prolong its login as it would by itself: it gets what it asked for. */
export function resume(ctx: Context, { authenticators, hub, route }: AuthenticationConfig): void {
  for (const authenticator of authenticators) {
    try {
      callNow('`resume`', () => authenticator.resume?.(ctx, route))
    } catch (error) {
      hub.failed('resume', safeError(error, secretsOf(ctx)))
    }
  }
}

/** Asks who is calling, in time. Everything that can go wrong with credentials becomes a refusal here. */
export async function authenticate(ctx: Context, config: AuthenticationConfig): Promise<Caller | Refusal> {
  const { authenticators, hub } = config
  if (authenticators.length === 0) return { identity: undefined, authenticator: undefined }
  try {
    return await inTime(config, 'who is calling could not be told', () => ask(ctx, config))
  } catch (failure) {
    const error = safeError(failure, secretsOf(ctx))
    if (error instanceof AuthenticationError) return refusalOf(error, authenticators)
    throw told(hub, error)
  }
}

/** Tells of an error of the application's before Koa answers it. */
function told(hub: AuthenticationConfig['hub'], error: Error): Error {
  hub.refused('unavailable', statusOf(error), error)
  return error
}

/** Asks the authenticators in their order. */
async function ask(ctx: Context, config: AuthenticationConfig): Promise<Caller | Refusal> {
  const tester = testLoginOf(ctx, config.hub)
  if (tester !== undefined) return standing({ identity: tester, authenticator: undefined }, config)
  for (const authenticator of config.authenticators) {
    const answer: unknown = await authenticator.authenticate(ctx)
    // Where the compiler has not looked, `ctx.user && { … }` answers null, false or an empty string for nobody.
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

/** The answer to a request whose credentials nobody knows. */
function unauthenticated(authenticators: readonly Authenticator[]): Refusal {
  return { reason: 'unauthenticated', status: 401, challenges: authenticators.map(({ challenge }) => challenge) }
}

/** The answer to a request whose credentials were good, and have ended. */
export function ended({ authenticator }: Caller, { authenticators }: AuthenticationConfig): Refusal {
  const refusal = unauthenticated(authenticators)
  return authenticator?.rejection === undefined ? refusal : { ...refusal, challenges: [authenticator.rejection] }
}

/** Has credentials used up that are good for one stream. Answers a refusal where somebody else was first. */
export async function redeem(ctx: Context, config: AuthenticationConfig, caller: Caller): Promise<Refusal | undefined> {
  const { identity, authenticator } = caller
  if (identity === undefined || authenticator?.redeem === undefined) return undefined
  try {
    await inTime(config, 'the credentials could not be used up', () => authenticator.redeem?.(ctx, identity))
    return undefined
  } catch (failure) {
    const error = safeError(failure, secretsOf(ctx, identity))
    if (error instanceof AuthenticationError) return refusalOf(error, config.authenticators)
    throw told(config.hub, error)
  }
}

/**
 * Whether the identity holds at this moment: the login may have ended while the resolver was busy. Rejects when nobody
 * can tell in time.
 */
export async function stillHolds(caller: Caller, config: AuthenticationConfig): Promise<boolean> {
  const { identity, authenticator } = caller
  if (identity === undefined) return true
  if (hasEnded(identity, config.hub.clock.now())) return false
  const revalidation = authenticator?.revalidation
  return inTime(config, 'whether the login still holds could not be told', async () => {
    if (await isRevoked(caller, config)) return false
    const holds: unknown = revalidation === undefined || (await revalidation.holds(identity))
    return Boolean(holds)
  })
}

/**
 * Why a login has ended since its request arrived, if it has. What may have been ended without this instance having heard of
 * it is `unverifiable`, unless the login is asked again (`stillHolds`) anyway.
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
    throw new AuthenticationError('unavailable', 'nobody can tell just now whether the token was revoked', { cause })
  }
}

/** Has nothing prolonged for a request that gets no stream. It is answered already: a failure is the operator's news. */
export async function forget(ctx: Context, config: AuthenticationConfig, { authenticator }: Caller): Promise<void> {
  try {
    await inTime(config, 'the request could not be forgotten', () => authenticator?.forget?.(ctx))
  } catch (error) {
    config.hub.failed('forget', safeError(error, secretsOf(ctx)))
  }
}

/** Gives a call up that takes longer than authentication may. */
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
