import test from 'ava'
import { RateLimiterMemory } from 'rate-limiter-flexible'
import type { Accounts } from '../../demo/domain/accounts.ts'
import { createLoginGuard } from '../../demo/login-guard.ts'

const ADDRESS = '192.0.2.1'

/** A guard with one account, which counts in windows of so many seconds. */
function openGuard(seconds: number) {
  const accounts: Pick<Accounts, 'verify'> = {
    verify: async (_, password) =>
      password === 'right' ? { id: 'ada', name: 'Ada', company: 'x', role: 'customer' as const } : undefined,
  }
  const limiter = (keyPrefix: string, points: number) => new RateLimiterMemory({ keyPrefix, points, duration: seconds })
  const address = limiter('address', 100)
  const reward = address.reward.bind(address)
  const rewarded: unknown[] = []
  address.reward = (key, ...rest) => {
    rewarded.push(key)
    return reward(key, ...rest)
  }
  const guard = createLoginGuard(accounts, { user: limiter('user', 10), address })
  return { guard, rewarded, counted: async () => (await address.get(ADDRESS))?.consumedPoints ?? 0 }
}

test('a right password is no guess of its address, and a wrong one is', async t => {
  const { guard, counted } = openGuard(60)
  t.is((await guard.attempt('ada', 'wrong', ADDRESS)).outcome, 'wrong')
  t.is((await guard.attempt('ada', 'right', ADDRESS)).outcome, 'welcome')
  t.is(await counted(), 1)
})

test('what may come back in the next window is not given back: that would allow one guess more', async t => {
  const { guard, rewarded } = openGuard(1)
  t.is((await guard.attempt('ada', 'right', ADDRESS)).outcome, 'welcome')
  t.deepEqual(rewarded, [])
})
