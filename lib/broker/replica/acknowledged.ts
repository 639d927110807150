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

/** An event of a topic that the log acknowledged to this process. */
export interface AcknowledgedEvent extends Remembered {
  readonly topic: string
  readonly epoch: string
}

/**
 * The last event of each topic that the log acknowledged to this process. If the log does not know it any more, a
 * fail-over has lost it (Redis replicates after it has answered), and this process may be the only one that can tell.
 *
 * What was acknowledged before a connection was lost is kept until the log has been asked for it: what it acknowledges
 * afterwards may stand behind events of others that came after the loss, and says nothing of it. So is what is of another
 * life of the log: that may come back, where a fail-over loses the later one.
 */
export class Acknowledged {
  #epoch = ''
  readonly #last = new Map<string, AcknowledgedEvent>()
  // The last ones of earlier connections and lives, and those of them that are of this life.
  #earlier: readonly AcknowledgedEvent[] = []
  #doubtful: readonly AcknowledgedEvent[] = []

  /** What the log must know of, as long as it is in the life of which these are. */
  get all(): readonly AcknowledgedEvent[] {
    return [...this.#earlier, ...this.#last.values()]
  }

  /** Those of connections that were lost, and for which the log has not been asked since. */
  get doubtful(): readonly AcknowledgedEvent[] {
    return this.#doubtful
  }

  /** The highest `seq` of all. */
  get seq(): number {
    return Math.max(0, ...this.all.map(({ seq }) => seq))
  }

  /**
   * Remembers an event of topics, but for those where it shows that the log has lost one that is remembered.
   *
   * @param here the time by the monotonic clock
   * @returns whether one is lost
   */
  add(topics: readonly string[], { epoch, seq, at, previous }: Appended, here: number): boolean {
    if (epoch !== this.#epoch) this.#begin(epoch)
    let isLost = false
    for (const [index, topic] of topics.entries()) {
      const before = previous[index]
      const known = [this.#last.get(topic), ...this.#doubtful.filter(event => event.topic === topic)]
      const said = { log: at, here }
      if (before !== undefined && known.some(event => event && event.seq < seq && isMissing(event, before, said)))
        isLost = true
      else this.#note({ topic, epoch, seq, at, heardAt: here })
    }
    this.#forget()
    return isLost
  }

  /** The connection is lost, and what was acknowledged on it may be. */
  interrupted(): void {
    this.#keep(this.all.slice(-MOST))
    this.#last.clear()
  }

  /** The log has been asked for events, and knows of them. */
  confirm(events: readonly AcknowledgedEvent[]): void {
    if (this.#doubtful.length === 0) return
    const confirmed = new Set(events.filter(({ epoch }) => epoch === this.#epoch))
    for (const event of this.#earlier) if (confirmed.has(event)) this.#note(event)
    this.#keep(this.#earlier.filter(event => !confirmed.has(event)))
  }

  #begin(epoch: string): void {
    this.#epoch = epoch
    this.interrupted()
  }

  #keep(earlier: readonly AcknowledgedEvent[]): void {
    this.#earlier = earlier
    this.#doubtful = earlier.filter(({ epoch }) => epoch === this.#epoch)
  }

  #note(event: AcknowledgedEvent): void {
    const known = this.#last.get(event.topic)
    this.#last.delete(event.topic)
    this.#last.set(event.topic, known !== undefined && known.seq > event.seq ? known : event)
  }

  #forget(): void {
    for (const oldest of this.#last.keys()) {
      if (this.#last.size <= MOST) return
      this.#last.delete(oldest)
    }
  }
}
