import { setImmediate } from 'node:timers/promises'
import type { RateLimiter } from 'koa-event-stream'
import { RateLimiterMemory } from 'rate-limiter-flexible'
import type { Random } from '../support/random.ts'
import { Prank } from './prank.ts'

const FAILING = 0.005

/** A session store that takes its time now and then, and fails now and then. */
export class ShakyStore {
  readonly sessions = new Map<string, object>()
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  async get(key: string): Promise<object | undefined> {
    await this.#shake()
    return structuredClone(this.sessions.get(key))
  }

  async set(key: string, data: object): Promise<void> {
    await this.#shake()
    this.sessions.set(key, structuredClone(data))
  }

  async destroy(key: string): Promise<void> {
    await this.#shake()
    this.sessions.delete(key)
  }

  async #shake(): Promise<void> {
    if (this.#random.chance(0.3)) await setImmediate()
    if (this.#random.chance(FAILING)) throw new Prank('the session store fails')
  }
}

/** A limiter of five times a second that fails now and then. */
export function shakyLimiter(random: Random): RateLimiter {
  const limiter = new RateLimiterMemory({ points: 5, duration: 1 })
  return {
    consume: async key => {
      if (random.chance(FAILING)) throw new Prank('the limiter fails')
      return limiter.consume(key)
    },
  }
}
