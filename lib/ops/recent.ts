import type { Clock } from '../clock.ts'

/** What was found out lately, shared by all who ask: however many they are, it costs the same. */
export class Recent<Value> {
  readonly #clock: Clock
  #known: { readonly until: number; readonly value: Value } | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** @param ms how long what `find` answers is shared, in milliseconds */
  get(ms: number, find: () => Value): Value {
    const now = this.#clock.monotonic()
    if (this.#known === undefined || now >= this.#known.until) this.#known = { until: now + ms, value: find() }
    return this.#known.value
  }
}
