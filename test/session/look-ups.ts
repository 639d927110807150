import type { ManualClock } from '../support/manual-clock.ts'

/**
 * Lets time pass, a second at a turn, until a session store has been asked so many times more. What was asked in between
 * has been answered then, if the store answers from memory.
 */
export async function lookUps(
  clock: ManualClock,
  store: { get: (...args: never[]) => unknown },
  count = 1,
): Promise<void> {
  const { get } = store
  let asked = 0
  store.get = (...args: never[]) => {
    asked += 1
    return get.apply(store, args)
  }
  while (asked < count) {
    clock.advance(1_000)
    await new Promise(setImmediate)
  }
  store.get = get
}
