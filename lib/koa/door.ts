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

/** How long a client is told to wait that comes too often, before the jitter, beside what a limiter says: milliseconds. */
export const ORDINARY_WAIT = 3_000

/**
 * What every request passes first: until it is served it prolongs no login, its credentials leave the URL, and plain HTTP
 * is refused where TLS is required.
 */
export function approach(ctx: Context, config: DoorConfig): Refusal | undefined {
  noteArrival(ctx.req)
  suspend(ctx, config)
  conceal(ctx, config)
  return config.requireSecure && !ctx.secure ? { reason: 'insecure', status: 403 } : undefined
}

/**
 * Who may pass to a route that answers at once: the guards of a stream, but for what is counted by open streams. Whether
 * the login has ended meanwhile is for `verify` to tell.
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

/** Asks once more whether a login holds, right before it is made use of: a refusal if it does not, or nobody can tell. */
export async function verify(ctx: Context, caller: Caller, config: AuthenticationConfig): Promise<Refusal | undefined> {
  try {
    return (await stillHolds(caller, config)) ? undefined : ended(caller, config)
  } catch (error) {
    return { reason: 'unavailable', status: 503, error: safeError(error, secretsOf(ctx, caller.identity)) }
  }
}

/** The refusal of a request whose login somebody has ended since it arrived, where no stream has to be closed for it. */
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
  // Clients that may come back at the same moment would otherwise do so.
  return { reason: `${kind}-rate`, status: 429, wait: Math.ceil(wait) + jitteredRetry(ORDINARY_WAIT, config.hub.clock) }
}
