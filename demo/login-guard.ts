import type { RateLimiterAbstract } from 'rate-limiter-flexible'
import type { Account, Accounts } from './domain/accounts.ts'
import { MOST_FAILURES } from './limits.ts'

export type LoginAttempt = { outcome: 'welcome'; account: Account } | { outcome: 'wrong' } | { outcome: 'wait' }

export interface LoginGuard {
  attempt(username: string, password: string, address: string): Promise<LoginAttempt>
}

/** Checks passwords, for the login form and the API alike, and slows down those who guess. */
export function createLoginGuard(accounts: Accounts, failures: RateLimiterAbstract): LoginGuard {
  return {
    async attempt(username, password, address) {
      const key = `${address} ${username.slice(0, 64)}`
      const past = await failures.get(key)
      if (past && past.consumedPoints >= MOST_FAILURES) return { outcome: 'wait' }
      const account = await accounts.verify(username, password)
      if (account) return { outcome: 'welcome', account }
      await failures.penalty(key)
      return { outcome: 'wrong' }
    },
  }
}
