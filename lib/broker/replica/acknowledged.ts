import type { Appended, Predecessor } from './log-engine.ts'

// Topics of which the last published event is remembered.
const MOST = 1_000

/** An event that the log must know of, for as long as it remembers anything of that time. */
export interface Remembered {
  readonly seq: number
  /** When it was published, in milliseconds since 1970, by the log's own time. */
  readonly at: number
  /** When that was known here, by the monotonic clock. */
  readonly heardAt: number
}

/** One moment by two clocks: the log's own time, in milliseconds since 1970, and the monotonic clock here. */
export interface Moment {
  readonly log: number
  readonly here: number
}

/**
 * Whether a log that says what stands at a place behind an event does not know of it any more: it says that an earlier one
 * stands there, or that nothing was published since before it, though its memory reaches back so far. The latter is asked of
 * both clocks: the log's own may have been set back or forth since.
 *
 * @param said when the log said so
 */
export function isMissing({ seq, at, heardAt }: Remembered, end: Predecessor, said: Moment): boolean {
  if (end.isKnown) return end.seq < seq
  return end.at < at && said.here - heardAt < said.log - end.at
}

/**
 * The last event of each topic that the log acknowledged to this process. If the log does not know it any more, a
 * fail-over has lost it (Redis replicates after it has answered), and this process may be the only one that can tell.
 */
export class Acknowledged {
  #epoch = ''
  readonly #last = new Map<string, Remembered>()

  /** The highest `seq` of all. */
  get seq(): number {
    return Math.max(0, ...[...this.#last.values()].map(({ seq }) => seq))
  }

  /**
   * Remembers an event of topics, but for those where it shows that the log has lost the one that is remembered.
   *
   * @param here the time by the monotonic clock
   * @returns whether one is lost
   */
  add(topics: readonly string[], { epoch, seq, at, previous }: Appended, here: number): boolean {
    if (epoch !== this.#epoch) this.#begin(epoch)
    let isLost = false
    for (const [index, topic] of topics.entries()) {
      const known = this.#last.get(topic)
      const before = previous[index]
      if (known !== undefined && known.seq < seq && before !== undefined) {
        if (isMissing(known, before, { log: at, here })) {
          isLost = true
          continue
        }
      }
      this.#last.delete(topic)
      this.#last.set(topic, known !== undefined && known.seq > seq ? known : { seq, at, heardAt: here })
    }
    this.#forget()
    return isLost
  }

  /** The last event of each topic, if they are of this life of the log; of any if there is none yet. */
  of(epoch: string): ReadonlyMap<string, Remembered> {
    return new Map(epoch === '' || epoch === this.#epoch ? this.#last : [])
  }

  #begin(epoch: string): void {
    this.#epoch = epoch
    this.#last.clear()
  }

  #forget(): void {
    for (const oldest of this.#last.keys()) {
      if (this.#last.size <= MOST) return
      this.#last.delete(oldest)
    }
  }
}
