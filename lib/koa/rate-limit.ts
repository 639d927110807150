import { callInTime } from '../application.ts'
import type { Clock } from '../clock.ts'
import type { HubEngine } from '../hub/engine.ts'
import { invalid, knownKeys } from '../options.ts'
import { safeError } from '../safe-error.ts'

/** The timeout in milliseconds of a limiter, and of a store that counts streams over all instances. */
export const LIMITER_TIMEOUT = 1_000

/**
 * A rate limiter. Those of rate-limiter-flexible fit, with any store. If it fails, returns junk or takes more than a
 * second, the client is let in, and the hub emits `fault`.
 */
export interface RateLimiter {
  /**
   * Counts one attempt for a key.
   *
   * @returns anything, if that is within the rate
   * @throws an object with `msBeforeNext`, the milliseconds to wait, if it is not; an `Error` if the limiter fails
   */
  consume(key: string): Promise<unknown>
}

/** The limiters of a route. */
export interface RateLimiters {
  readonly identity: RateLimiter | undefined
  readonly address: RateLimiter | undefined
}

/** The part of a route's configuration that is needed. */
interface Paced {
  readonly hub: HubEngine
  readonly rate: RateLimiters
}

/** @throws {TypeError} for a value that is not a limiter */
export function checkRateLimiters(rate: { identity?: RateLimiter; address?: RateLimiter } = {}): RateLimiters {
  knownKeys('limits.rate', rate, ['identity', 'address'])
  return Object.freeze({
    identity: checkRateLimiter('limits.rate.identity', rate.identity),
    address: checkRateLimiter('limits.rate.address', rate.address),
  })
}

/**
 * Counts an attempt. Returns how many milliseconds the client has to wait, 0 if none.
 *
 * Fails open: the number of open streams is limited anyway, and a store that is down would otherwise lock everybody
 * out.
 */
export async function consume({ hub, rate }: Paced, kind: keyof RateLimiters, name: string): Promise<number> {
  const limiter = rate[kind]
  if (limiter === undefined) return 0
  try {
    // An identity may look like an address, and both limiters may be the same.
    return await waitOf(hub.clock, () => limiter.consume(`${kind}:${name}`))
  } catch (error) {
    hub.failed('rate limit', safeError(error))
    return 0
  }
}

/** The limiter's wait. @throws what the limiter throws, unless it is a wait */
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

// A limiter that only refuses, without a wait, lets the client retry after its ordinary delay.
function msBeforeNext(answer: unknown): number | undefined {
  if (typeof answer !== 'object' || answer === null || answer instanceof Error || !('msBeforeNext' in answer)) {
    return undefined
  }
  const ms = Number(answer.msBeforeNext)
  return ms > 0 ? ms : 1
}
