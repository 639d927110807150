import { formatPosition } from '../wire/cursor.ts'
import { encodeOwnEvent, type EventRules } from '../wire/publication.ts'
import { EncodedPortion } from './encoded-portion.ts'
import type { Portion, RunLog } from './run-log.ts'

// The number of cached positions: readers that keep up are at the same one, or a batch behind.
const PLACES = 4

// The position of a reader that has nothing.
const NOWHERE = -1

/** Encodes the events of a run, once for all readers at the same position. */
export class RunEncoder {
  readonly #log: RunLog
  readonly #run: string
  readonly #rules: EventRules
  readonly #portions = new Map<number, EncodedPortion>()
  // The last number of the log when these were encoded, the end included.
  #upTo = 0

  /** @param run the prefix of its events' ids */
  constructor(log: RunLog, run: string, rules: EventRules) {
    this.#log = log
    this.#run = run
    this.#rules = rules
  }

  /** The whole run, for a reader that has nothing: see `RunLog.whole`. */
  whole(): EncodedPortion {
    return this.#at(NOWHERE, () => this.#log.whole())
  }

  /** The events after one: see `RunLog.after`. */
  after(number: number): EncodedPortion {
    return this.#at(number, () => this.#log.after(number))
  }

  #at(place: number, read: () => Portion): EncodedPortion {
    const { last, end, endNumber } = this.#log
    const upTo = end === undefined ? last : endNumber
    if (upTo !== this.#upTo) this.#portions.clear()
    this.#upTo = upTo
    const known = this.#portions.get(place)
    if (known !== undefined) return known
    const portion = new EncodedPortion(read(), last, ({ number, event: [kind, data] }) => {
      const event = { ...(kind !== null && { event: kind }), data, id: formatPosition(this.#run, number) }
      return encodeOwnEvent(event, this.#rules, false).frame
    })
    if (this.#portions.size < PLACES) this.#portions.set(place, portion)
    return portion
  }
}
