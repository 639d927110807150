import type { Appended, Predecessor } from './log-engine.ts'

// Topics of which the last published event is remembered, events of earlier connections, and those of one topic.
const MOST = 1_000
const MOST_OF_TOPIC = 8

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

/** Events for which the log is asked. */
export interface Doubts {
  readonly events: readonly AcknowledgedEvent[]
  /** The log knows of all of them. Means nothing where a connection was lost since. */
  settle(): void
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
  // The last ones of earlier connections and lives, and those of them that are of this life, by topic.
  #earlier: readonly AcknowledgedEvent[] = []
  #doubtful: ReadonlyMap<string, readonly AcknowledgedEvent[]> = new Map()
  #interruptions = 0

  /** The highest `seq` of all. */
  get seq(): number {
    return Math.max(0, ...this.#all().map(({ seq }) => seq))
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
      if (before === undefined) continue
      const said = { log: at, here }
      const isGone = (event: AcknowledgedEvent): boolean => event.seq < seq && isMissing(event, before, said)
      const last = this.#last.get(topic)
      if ((last !== undefined && isGone(last)) || this.#doubtful.get(topic)?.some(isGone) === true) isLost = true
      else this.#note({ topic, epoch, seq, at, heardAt: here })
    }
    this.#forget()
    return isLost
  }

  /** The connection is lost, and what was acknowledged on it may be. */
  interrupted(): void {
    this.#interruptions += 1
    if (this.#last.size === 0) return
    this.#keep(newestOf(this.#all()))
    this.#last.clear()
  }

  /** What the log must know of, as long as it is in the life of which these are. */
  all(): Doubts {
    return this.#toSettle(this.#all())
  }

  /** Those of connections that were lost, and for which the log has not been asked since. */
  doubts(): Doubts {
    return this.#toSettle([...this.#doubtful.values()].flat())
  }

  // What answers mean where a connection was lost between them nobody knows: they may be those of two servers.
  #toSettle(events: readonly AcknowledgedEvent[]): Doubts {
    const since = this.#interruptions
    return {
      events,
      settle: () => {
        if (since === this.#interruptions && this.#doubtful.size > 0) this.#confirm(new Set(events))
      },
    }
  }

  #confirm(events: ReadonlySet<AcknowledgedEvent>): void {
    const isKnown = (event: AcknowledgedEvent): boolean => event.epoch === this.#epoch && events.has(event)
    for (const event of this.#earlier) if (isKnown(event)) this.#note(event)
    this.#keep(this.#earlier.filter(event => !isKnown(event)))
  }

  #all(): AcknowledgedEvent[] {
    return [...this.#earlier, ...this.#last.values()]
  }

  #begin(epoch: string): void {
    this.#epoch = epoch
    this.interrupted()
    this.#keep(this.#earlier)
  }

  #keep(earlier: readonly AcknowledgedEvent[]): void {
    this.#earlier = earlier
    const own = earlier.filter(({ epoch }) => epoch === this.#epoch)
    this.#doubtful = byTopic(own)
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

// The last ones, of each topic and altogether: a connection may be lost again and again.
function newestOf(events: readonly AcknowledgedEvent[]): AcknowledgedEvent[] {
  const newest = [...byTopic(events).values()].flatMap(own => own.slice(-MOST_OF_TOPIC))
  const kept = new Set(newest)
  return events.filter(event => kept.has(event)).slice(-MOST)
}

function byTopic(events: readonly AcknowledgedEvent[]): Map<string, AcknowledgedEvent[]> {
  const topics = new Map<string, AcknowledgedEvent[]>()
  for (const event of events) {
    const own = topics.get(event.topic)
    if (own === undefined) topics.set(event.topic, [event])
    else own.push(event)
  }
  return topics
}
