import { networkOf } from 'koa-event-stream'
import { RateLimiterRes } from 'rate-limiter-flexible'
import type { Account, Accounts } from './domain/accounts.ts'
import type { Limits } from './limits.ts'

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
export function createLoginGuard(accounts: Accounts, guesses: Limits['guesses']): LoginGuard {
  async function mayGuess(user: string, address: string): Promise<boolean> {
    try {
      await guesses.address.consume(address)
      await guesses.user.consume(user)
      return true
    } catch (refusal) {
      if (refusal instanceof RateLimiterRes) return false
      throw refusal
    }
  }

  return {
    async attempt(username, password, ip) {
      // However its address is written, a client is the same.
      const address = networkOf(ip)
      const user = `${address} ${username.slice(0, 64)}`
      if (!(await mayGuess(user, address))) return { outcome: 'wait' }
      const account = await accounts.verify(username, password)
      if (!account) return { outcome: 'wrong' }
      // It was no guess.
      await Promise.all([guesses.user.delete(user), guesses.address.reward(address)])
      return { outcome: 'welcome', account }
    },
  }
}
