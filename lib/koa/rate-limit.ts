import { callInTime } from '../application.ts'
import type { Clock } from '../clock.ts'
import type { HubEngine } from '../hub/engine.ts'
import { invalid, knownKeys } from '../options.ts'
import { safeError } from '../safe-error.ts'

/** Milliseconds that a limiter may take, or a store that counts streams over all instances. */
export const LIMITER_TIMEOUT = 1_000

/**
 * Says how often something may happen. Those of rate-limiter-flexible do, whatever their store. One that fails, answers
 * junk or takes more than a second lets the client in, and the hub tells of a `fault`.
 */
export interface RateLimiter {
  /**
   * Counts one time for a key.
   *
   * @returns anything, if that is within the rate
   * @throws an object with `msBeforeNext`, the milliseconds to wait, if it is not; an `Error` if the limiter cannot tell
   */
  consume(key: string): Promise<unknown>
}

/** Which limiters a mount asks. */
export interface RateLimiters {
  readonly identity: RateLimiter | undefined
  readonly address: RateLimiter | undefined
}

/** The part of a mount that it takes. */
interface Paced {
  readonly hub: HubEngine
  readonly rate: RateLimiters
}

/** @throws {TypeError} for what is no limiter */
export function checkRateLimiters(rate: { identity?: RateLimiter; address?: RateLimiter } = {}): RateLimiters {
  knownKeys('limits.rate', rate, ['identity', 'address'])
  return Object.freeze({
    identity: checkRateLimiter('limits.rate.identity', rate.identity),
    address: checkRateLimiter('limits.rate.address', rate.address),
  })
}

/**
 * Counts an attempt to open a stream. Answers how many milliseconds the client has to wait, 0 if it need not.
 *
 * A limiter that fails lets the client in: the places that streams may take in this process are limited all the same,
 * and a store that is down would otherwise lock everybody out.
 */
export async function consume({ hub, rate }: Paced, kind: keyof RateLimiters, name: string): Promise<number> {
  const limiter = rate[kind]
  if (limiter === undefined) return 0
  try {
    // Users may choose a name that looks like an address, and both limiters may be the same.
    return await waitOf(hub.clock, () => limiter.consume(`${kind}:${name}`))
  } catch (error) {
    hub.failed('rate limit', safeError(error))
    return 0
  }
}

/** How long a limiter says to wait. @throws what it throws, if that says no such thing */
async function waitOf(clock: Clock, consume: () => Promise<unknown>): Promise<number> {
  try {
    await callInTime({ clock, ms: LIMITER_TIMEOUT, what: 'the limiter' }, consume)
    return 0
  } catch (answer) {
    const wait = msBeforeNext(answer)
    if (wait === undefined) throw answer
    return wait
  }
}

function checkRateLimiter(name: string, limiter: unknown): RateLimiter | undefined {
  if (limiter === undefined || isRateLimiter(limiter)) return limiter
  throw invalid(name, 'a limiter with `consume(key)`, such as those of rate-limiter-flexible', limiter)
}

function isRateLimiter(value: unknown): value is RateLimiter {
  return typeof value === 'object' && value !== null && 'consume' in value && typeof value.consume === 'function'
}

// A limiter that has no more to say than no lets the client come back after its ordinary delay.
function msBeforeNext(answer: unknown): number | undefined {
  if (typeof answer !== 'object' || answer === null || answer instanceof Error || !('msBeforeNext' in answer)) {
    return undefined
  }
  const ms = Number(answer.msBeforeNext)
  return ms > 0 ? ms : 1
}
