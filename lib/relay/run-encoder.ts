import { formatPosition } from '../wire/cursor.ts'
import { encodeOwnEvent, type EventRules } from '../wire/publication.ts'
import { EncodedPortion } from './encoded-portion.ts'
import type { Portion, RunLog } from './run-log.ts'

// Places of which portions are remembered: readers that keep up are at the same, or a batch behind.
const PLACES = 4

// The place of who has nothing.
const NOWHERE = -1

/** Encodes what has been said in a run, once for all readers that are at the same place in it. */
export class RunEncoder {
  readonly #log: RunLog
  readonly #run: string
  readonly #rules: EventRules
  readonly #portions = new Map<number, EncodedPortion>()
  // How far the log went when these were made, its end counted.
  #upTo = 0

  /** @param run what the ids of its events begin with */
  constructor(log: RunLog, run: string, rules: EventRules) {
    this.#log = log
    this.#run = run
    this.#rules = rules
  }

  /** All of it, for who has nothing: see `RunLog.whole`. */
  whole(): EncodedPortion {
    return this.#at(NOWHERE, () => this.#log.whole())
  }

  /** What comes after an event: see `RunLog.after`. */
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
