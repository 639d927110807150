import type { Appended, Predecessor } from './log-engine.ts'

// The most topics whose last published event is kept, the most events of earlier connections, and the most of those of
// one topic.
const MOST = 1_000
const MOST_OF_TOPIC = 8

/** An event that the log must know, unless its memory does not reach back so far. */
export interface Remembered {
  readonly seq: number
  /** When it was published, in milliseconds since 1970, by the log's clock. */
  readonly at: number
  /** When that was known here, on the monotonic clock. */
  readonly heardAt: number
}

/** One moment on two clocks: the log's, in milliseconds since 1970, and the monotonic clock here. */
export interface Moment {
  readonly log: number
  readonly here: number
}

/**
 * Whether a log has lost an event, given the log's predecessor of a later place: it reports an earlier event there, or
 * that nothing was published since before the event, though its memory reaches back so far. The latter is checked on
 * both clocks, since the log's own may have been changed.
 *
 * @param said when the log said so
 */
export function isMissing({ seq, at, heardAt }: Remembered, end: Predecessor, said: Moment): boolean {
  if (end.isKnown) return end.seq < seq
  return end.at < at && said.here - heardAt < said.log - end.at
}

/** An event of a topic, published by this process and acknowledged by the log. */
export interface AcknowledgedEvent extends Remembered {
  readonly topic: string
  readonly epoch: string
}

/** Events to be verified with the log. */
export interface Doubts {
  readonly events: readonly AcknowledgedEvent[]
  /** The log has all of them. No effect if a connection was lost since. */
  settle(): void
}

/**
 * The last event of each topic that the log acknowledged to this process. If the log no longer has it, a failover has
 * lost it (Redis replicates after acknowledging), and this process may be the only one that can tell.
 *
 * Events acknowledged on an earlier connection are kept until they have been verified: later acknowledgements may
 * follow events that others published after the loss, and prove nothing. Events of another epoch are kept, too: that
 * epoch may come back if a failover loses the later one.
 */
export class Acknowledged {
  #epoch = ''
  readonly #last = new Map<string, AcknowledgedEvent>()
  // The last ones of earlier connections and epochs, and those of them in this epoch, by topic.
  #earlier: readonly AcknowledgedEvent[] = []
  #doubtful: ReadonlyMap<string, readonly AcknowledgedEvent[]> = new Map()
  #interruptions = 0

  /** The highest `seq`. */
  get seq(): number {
    return Math.max(0, ...this.#all().map(({ seq }) => seq))
  }

  /**
   * Records a published event, except on topics where it shows that the log has lost a recorded one.
   *
   * @param here the time on the monotonic clock
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

  /** The connection is lost, and acknowledged events may be. */
  interrupted(): void {
    this.#interruptions += 1
    if (this.#last.size === 0) return
    this.#keep(newestOf(this.#all()))
    this.#last.clear()
  }

  /** All events that the log must have in the epoch they belong to. */
  all(): Doubts {
    return this.#toSettle(this.#all())
  }

  /** Events of lost connections that have not been verified since. */
  doubts(): Doubts {
    return this.#toSettle([...this.#doubtful.values()].flat())
  }

  // If a connection was lost between the replies, they may be from two servers, and prove nothing.
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

// Keeps the newest, per topic and in total: a connection may be lost again and again.
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
