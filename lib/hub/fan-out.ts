import type { StoredEvent } from '../broker/event-log.ts'
import type { Clock } from '../clock.ts'
import type { Frame } from '../stream/write-queue.ts'
import type { SharedFrames } from '../stream/sink.ts'
import { PIECE_BYTES, type Turn } from '../stream/writer.ts'
import { Chunk } from '../wire/chunk.ts'
import type { LogFrame } from './feed/page.ts'

/** A stream's end of the fan-out. */
export interface Receiver {
  /** What is due to it in this turn of the event loop, `undefined` if nothing is. */
  due: Batch | undefined
  /** Whether it takes live events of a topic, and has not had this one. */
  awaits(seq: number, topic: string): boolean
  /** Takes what is due. */
  flush(turn: Turn): void
}

let lastKey = 0

/**
 * Events of one turn in their order. Batches form a tree: each adds one event to its parent, and streams that are due
 * the same events share one batch, so that their bytes are joined once, whatever the number of streams.
 */
export class Batch implements SharedFrames, LogFrame {
  readonly event: StoredEvent
  readonly topics: readonly string[]
  readonly length: number
  /** How many events. */
  readonly count: number
  /** To how many streams it has been written. */
  streams = 0
  readonly #parent: Batch | undefined
  #next: Batch | undefined
  #chunk: Chunk | undefined
  #key: number | undefined

  constructor(event: StoredEvent, topics: readonly string[], parent?: Batch) {
    this.event = event
    this.topics = topics
    this.length = event.frame.length + (parent?.length ?? 0)
    this.count = 1 + (parent?.count ?? 0)
    this.#parent = parent
  }

  /** The last event's own frame. */
  get frame(): Uint8Array {
    return this.event.frame
  }

  /** This batch and one more event. Streams are served event by event, so one child needs to be remembered. */
  with(event: StoredEvent, topics: readonly string[]): Batch {
    if (this.#next?.event !== event) this.#next = new Batch(event, topics, this)
    return this.#next
  }

  /** All frames in one piece. */
  get chunk(): Chunk {
    this.#chunk ??= this.#join()
    return this.#chunk
  }

  get key(): number {
    this.#key ??= lastKey += 1
    return this.#key
  }

  isAmong(topics: ReadonlySet<string>): boolean {
    for (let batch: Batch | undefined = this; batch !== undefined; batch = batch.#parent) {
      if (!batch.topics.some(topic => topics.has(topic))) return false
    }
    return true
  }

  /** All frames one by one. */
  frames(): readonly LogFrame[] {
    const frames: LogFrame[] = []
    for (let batch: Batch | undefined = this; batch !== undefined; batch = batch.#parent) frames.push(batch)
    return frames.reverse()
  }

  /** The batch without the events that are not to be kept; `undefined` where none is. */
  retain(isKept: (frame: Frame) => boolean): Batch | undefined {
    const kept = this.frames().filter(isKept)
    if (kept.length === this.frames().length) return this
    return kept.reduce<Batch | undefined>((parent, { event, topics }) => new Batch(event, topics, parent), undefined)
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

/** Hears what has been written in a turn. */
interface Witness {
  live(batches: readonly Batch[]): void
}

/**
 * Hands events to receivers. What is due in one turn of the event loop is written once a stream, since the kernel's
 * part of a write costs more than all the rest of a delivery; but at once when it is a piece, so that history, which has
 * to last for the turn, does not outrun a client that keeps up.
 */
export class FanOut {
  readonly #clock: Clock
  readonly #witness: Witness | undefined
  #waiting: Receiver[] = []
  #first: Batch | undefined
  // Batches that have been written in this turn, to one stream at least.
  #written: Batch[] = []
  #cancel: (() => void) | undefined
  // Its time is asked once: asking for each stream would be a twentieth of what a delivery costs.
  #turn: Turn = { now: 0 }

  constructor(clock: Clock, witness?: Witness) {
    this.#clock = clock
    this.#witness = witness
  }

  /** The turn in which what is due now came. */
  get turn(): Turn {
    return this.#turn
  }

  /** Notes an event as due to a receiver, once, however many of its topics the event was published to. */
  deliver(event: StoredEvent, topics: readonly string[], topic: string, receiver: Receiver): void {
    if (!receiver.awaits(event.seq, topic)) return
    if (receiver.due === undefined) {
      if (this.#first?.event !== event) this.#first = new Batch(event, topics)
      receiver.due = this.#first
      this.#waiting.push(receiver)
      if (this.#cancel === undefined) this.#schedule()
    } else receiver.due = receiver.due.with(event, topics)
    if (receiver.due.length >= PIECE_BYTES) receiver.flush(this.#turn)
  }

  /** Writes everything that is due now. */
  flush(): void {
    this.#cancel?.()
    this.#cancel = undefined
    this.#first = undefined
    const waiting = this.#waiting
    this.#waiting = []
    for (const receiver of waiting) receiver.flush(this.#turn)
    const written = this.#written
    this.#written = []
    this.#witness?.live(written)
    for (const batch of written) batch.streams = 0
  }

  /** A batch has been written to a stream. */
  wrote(batch: Batch): void {
    if (batch.streams === 0) this.#written.push(batch)
    batch.streams += 1
  }

  #schedule(): void {
    this.#turn = { now: this.#clock.monotonic() }
    this.#cancel = this.#clock.turn(() => {
      this.flush()
    })
  }
}
