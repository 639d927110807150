import type { Context } from 'koa'
import { safeError } from '../safe-error.ts'
import { jitteredRetry } from '../wire/retry.ts'
import { networkOf } from './address.ts'
import { noteArrival } from './arrival.ts'
import {
  authenticate,
  conceal,
  ended,
  endingOf,
  forget,
  stillHolds,
  suspend,
  type Caller,
  type Refusal,
} from './authentication.ts'
import type { AuthenticationConfig, DoorConfig } from './door-config.ts'
import { consume, type RateLimiters } from './rate-limit.ts'
import { secretsOf } from './request-secrets.ts'

/** How long a rate-limited client has to wait besides what the limiter says, in milliseconds before jitter. */
export const ORDINARY_WAIT = 3_000

/**
 * The first checks of every request: it stops extending its login until it is granted something, its credentials are
 * removed from the URL, and plain HTTP is refused if TLS is required.
 */
export function approach(ctx: Context, config: DoorConfig): Refusal | undefined {
  noteArrival(ctx.req)
  suspend(ctx, config)
  conceal(ctx, config)
  return config.requireSecure && !ctx.secure ? { reason: 'insecure', status: 403 } : undefined
}

/**
 * Admits a caller to a route that answers at once: the same checks as for a stream, except for limits on open streams.
 * Does not check whether the login has ended meanwhile: use `verify`.
 */
export async function pass(ctx: Context, config: DoorConfig): Promise<Caller | Refusal> {
  const refusal = approach(ctx, config) ?? (await tooOften(config, 'address', networkOf(ctx.ip)))
  if (refusal !== undefined) return refusal
  const caller = await authenticate(ctx, config)
  if ('status' in caller) return caller
  const exceeded = await tooOften(config, 'identity', caller.identity?.id)
  if (exceeded === undefined) return caller
  await forget(ctx, config, caller)
  return exceeded
}

/**
 * Revalidates a login right before it is used. Returns a refusal if it is no longer valid, or if that cannot be
 * determined.
 */
export async function verify(ctx: Context, caller: Caller, config: AuthenticationConfig): Promise<Refusal | undefined> {
  try {
    return (await stillHolds(caller, config)) ? undefined : ended(caller, config)
  } catch (error) {
    return { reason: 'unavailable', status: 503, error: safeError(error, secretsOf(ctx, caller.identity)) }
  }
}

/**
 * Returns a refusal if the login was ended since the request arrived, for routes without a stream that would be closed.
 */
export function endedMeanwhile(ctx: Context, caller: Caller, config: AuthenticationConfig): Refusal | undefined {
  const ending = endingOf(ctx, config, caller)
  if (ending === undefined) return undefined
  const isOver = ending === 'logout' || ending === 'revoked'
  return isOver ? ended(caller, config) : { reason: 'disconnected', status: 503 }
}

async function tooOften(
  config: DoorConfig,
  kind: keyof RateLimiters,
  name: string | undefined,
): Promise<Refusal | undefined> {
  if (name === undefined) return undefined
  const wait = await consume(config, kind, name)
  if (wait === 0) return undefined
  // Jitter, so that clients with the same wait do not return at the same moment.
  return { reason: `${kind}-rate`, status: 429, wait: Math.ceil(wait) + jitteredRetry(ORDINARY_WAIT, config.hub.clock) }
}
