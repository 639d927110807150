import type { StoredEvent } from '../broker/broker.ts'
import type { Clock } from '../clock.ts'
import { Chunk } from '../wire/chunk.ts'

/** A stream's end of the fan-out. */
export interface Receiver {
  /** What is due to it in this tick, `undefined` if nothing is. */
  due: Batch | undefined
  /** The most bytes that may be due to it. */
  readonly bufferBytes: number
  /** Whether it takes live events, and has not had this one. */
  awaits(seq: number): boolean
  /** Has more due to it than it may have: it is to find the events in history. */
  fallBehind(): void
  /** Takes what is due, at this time. */
  flush(now: number): void
}

/**
 * Events of one tick in their order. Batches form a tree: each adds one event to its parent, and streams that are due
 * the same events share one batch, so that their bytes are joined once, whatever the number of streams.
 */
export class Batch {
  readonly event: StoredEvent
  readonly length: number
  readonly #parent: Batch | undefined
  #next: Batch | undefined
  #chunk: Chunk | undefined

  constructor(event: StoredEvent, parent?: Batch) {
    this.event = event
    this.length = event.frame.length + (parent?.length ?? 0)
    this.#parent = parent
  }

  /** This batch and one more event. Streams are served event by event, so one child needs to be remembered. */
  with(event: StoredEvent): Batch {
    if (this.#next?.event !== event) this.#next = new Batch(event, this)
    return this.#next
  }

  /** All frames in one piece. */
  get chunk(): Chunk {
    this.#chunk ??= this.#join()
    return this.#chunk
  }

  #join(): Chunk {
    const joined = Chunk.allocate(this.length)
    let end = this.length
    for (let batch: Batch | undefined = this; batch !== undefined; batch = batch.#parent) {
      const { frame } = batch.event
      end -= frame.length
      joined.bytes.set(frame, end)
    }
    return joined
  }
}

/**
 * Hands events to receivers. What is due in one turn of the event loop is written once a stream, since the kernel's
 * part of a write costs more than all the rest of a delivery.
 */
export class FanOut {
  readonly #clock: Clock
  #waiting: Receiver[] = []
  #first: Batch | undefined
  #scheduled: NodeJS.Immediate | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Notes an event as due to a receiver, once, however many of its topics the event was published to. */
  deliver(event: StoredEvent, receiver: Receiver): void {
    if (!receiver.awaits(event.seq)) return
    if (receiver.due === undefined) {
      if (this.#first?.event !== event) this.#first = new Batch(event)
      receiver.due = this.#first
      this.#waiting.push(receiver)
      this.#scheduled ??= setImmediate(() => {
        this.flush()
      })
    } else receiver.due = receiver.due.with(event)
    // A loop that publishes without a pause would let what is due grow for as long as it runs.
    if (receiver.due.length > receiver.bufferBytes) receiver.fallBehind()
  }

  /** Writes everything that is due now. */
  flush(): void {
    clearImmediate(this.#scheduled)
    this.#scheduled = undefined
    this.#first = undefined
    const waiting = this.#waiting
    this.#waiting = []
    const now = this.#clock.now()
    for (const receiver of waiting) receiver.flush(now)
  }
}
