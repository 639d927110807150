import type { StoredEvent } from '../broker/event-log.ts'
import type { Clock } from '../clock.ts'
import type { Frame } from '../stream/write-queue.ts'
import type { SharedFrames } from '../stream/sink.ts'
import { PIECE_BYTES, type Turn } from '../stream/writer.ts'
import { Chunk } from '../wire/chunk.ts'
import type { LogFrame } from './feed/page.ts'

/** A stream's end of the fan-out. */
export interface Receiver {
  /** The events to write to it in this turn of the event loop, `undefined` if there are none. */
  due: Batch | undefined
  /** Whether it takes live events of the topic and has not had this one. */
  awaits(seq: number, topic: string): boolean
  /** Writes what is due. */
  flush(turn: Turn): void
}

let lastKey = 0

/**
 * Events of one turn, in order. Batches form a tree: each adds one event to its parent, and streams that are due the
 * same events share one batch, so that their bytes are joined once, whatever the number of streams.
 */
export class Batch implements SharedFrames, LogFrame {
  readonly event: StoredEvent
  readonly topics: readonly string[]
  readonly length: number
  /** The number of events. */
  readonly count: number
  /** The number of streams it has been written to. */
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

  /** This batch plus one event. All streams get an event before the next one comes, so one cached child is enough. */
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

  /** The batch with the kept events only; `undefined` if none is kept. */
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

/** Is told what has been written in a turn. */
interface Observer {
  live(batches: readonly Batch[]): void
}

/**
 * Delivers events to receivers. Each stream gets one write per turn of the event loop, since the system call costs more
 * than the rest of a delivery. A stream with `PIECE_BYTES` due is written to at once: otherwise events of this turn
 * could be trimmed from history before a client that keeps up has them.
 */
export class FanOut {
  readonly #clock: Clock
  readonly #observer: Observer | undefined
  #waiting: Receiver[] = []
  #first: Batch | undefined
  // Batches written to at least one stream in this turn.
  #written: Batch[] = []
  #cancel: (() => void) | undefined
  // Holds the time, read once per turn: reading it for each stream would be a twentieth of the cost of a delivery.
  #turn: Turn = { now: 0 }

  constructor(clock: Clock, observer?: Observer) {
    this.#clock = clock
    this.#observer = observer
  }

  /** The turn in which the events due now arrived. */
  get turn(): Turn {
    return this.#turn
  }

  /** Makes an event due for a receiver, once, even if it was published to several of its topics. */
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
    this.#observer?.live(written)
    for (const batch of written) batch.streams = 0
  }

  /** Records that a batch has been written to a stream. */
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
