import { networkOf } from 'koa-event-stream'
import { RateLimiterRes } from 'rate-limiter-flexible'
import type { Account, Accounts } from './domain/accounts.ts'
import type { Limits } from './limits.ts'

// Milliseconds that Redis may take to be told of it.
const ON_THE_WAY = 1_000

export type LoginAttempt = { outcome: 'welcome'; account: Account } | { outcome: 'wrong' } | { outcome: 'wait' }

export interface LoginGuard {
  attempt(username: string, password: string, ip: string): Promise<LoginAttempt>
}

/**
 * Checks passwords, for the login form and the API alike, and slows down those who guess: one user's, or one password for
 * many users.
 *
 * An attempt counts before it is checked: of many that come at once only so many are. Nothing counts by the user alone:
 * strangers could lock anybody out then.
 */
export function createLoginGuard(accounts: Pick<Accounts, 'verify'>, guesses: Limits['guesses']): LoginGuard {
  /** Counts an attempt. Answers until when that counts, by the monotonic clock; `undefined` where there were too many. */
  async function count(user: string, address: string): Promise<number | undefined> {
    const now = performance.now()
    try {
      const { msBeforeNext } = await guesses.address.consume(address)
      await guesses.user.consume(user)
      return now + msBeforeNext
    } catch (refusal) {
      if (refusal instanceof RateLimiterRes) return undefined
      throw refusal
    }
  }

  return {
    async attempt(username, password, ip) {
      // However its address is written, a client is the same.
      const address = networkOf(ip)
      const user = `${address} ${username.slice(0, 64)}`
      const until = await count(user, address)
      if (until === undefined) return { outcome: 'wait' }
      const account = await accounts.verify(username, password)
      if (!account) return { outcome: 'wrong' }
      // It was no guess. Given back in the next minute, it would be one guess more than that allows.
      const isCounted = performance.now() + ON_THE_WAY < until
      await Promise.all([guesses.user.delete(user), isCounted && guesses.address.reward(address)])
      return { outcome: 'welcome', account }
    },
  }
}
