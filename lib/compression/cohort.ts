import { crc32 } from 'node:zlib'
import type { SharedFrames } from '../stream/sink.ts'
import { Chunk } from '../wire/chunk.ts'
import { createDeflater, deflateAlone, WINDOW_BYTES, type Deflater } from './deflater.ts'

// Of an empty window a delivery is so much larger that over the next ones it costs each member about as much as so many
// deliveries in a block of their own cost a newcomer.
const PRICE_OF_BEGINNING = 3

/** A point in what a cohort is sent. */
export interface Point {
  /** Bytes before it. */
  readonly position: number
  /** Their CRC-32, as a signed integer. */
  readonly crc: number
}

/** Tells whether more than one person has a topic. */
export interface SharedTopics {
  isShared(topic: string): boolean
}

/**
 * One delivery to a cohort: compressed once from the window, and once in a block of its own for those who lack the window.
 * All streams are served in one go; after that its bytes are not kept.
 */
export class Step {
  readonly key: number
  readonly from: Point
  readonly to: Point
  /** Deliveries to streams that have the window, and to newcomers. */
  members = 0
  newcomers = 0

  readonly #start: number
  #chunk: Chunk | undefined
  #linked: Chunk | undefined
  #alone: Chunk | undefined

  /** @param start where the deflater's window starts */
  constructor({ key, chunk }: SharedFrames, from: Point, start: number, deflater: Deflater) {
    const { bytes } = chunk
    this.key = key
    this.from = from
    this.to = { position: from.position + bytes.length, crc: crc32(bytes, from.crc >>> 0) | 0 }
    this.#chunk = chunk
    this.#start = start
    this.#linked = Chunk.of(deflater.compress(bytes))
    queueMicrotask(() => {
      this.#chunk = undefined
      this.#linked = undefined
      this.#alone = undefined
    })
  }

  /** Its bytes for a stream that has been sent what the cohort was since a position; `undefined` where they are gone. */
  piece(since: number): Chunk | undefined {
    if (this.#chunk === undefined) return undefined
    if (since <= this.#start) {
      this.members += 1
      return this.#linked
    }
    this.newcomers += 1
    this.#alone ??= Chunk.of(deflateAlone(this.#chunk.bytes))
    return this.#alone
  }
}

/**
 * Streams that are sent the same events, and share one window: the last bytes that all of them have been sent. The window
 * slides along with each delivery. A stream that has come later than where the window starts is a newcomer, until the
 * window has slid past its coming, or begins anew since newcomers have become many.
 */
export class Cohort {
  /** What no other cohort is called. */
  readonly name: string
  /** How many streams it has. */
  size = 0

  readonly #topics: ReadonlySet<string>
  readonly #shared: SharedTopics
  readonly #deflater = createDeflater()
  // Where the window began anew the last time.
  #begun = 0
  #end: Point = { position: 0, crc: 0 }
  #last: Step | undefined
  // Deliveries to newcomers since the window began.
  #owed = 0

  constructor(name: string, topics: readonly string[], shared: SharedTopics) {
    this.name = name
    this.#topics = new Set(topics)
    this.#shared = shared
  }

  /**
   * Where a stream may join that is sent these events now: before the delivery where that has been made to others already,
   * or behind the one before, where that is what the stream was sent last, or nobody else is there. `undefined` where it has
   * to wait for the next.
   */
  entry(key: number, heard: number | undefined): Point | undefined {
    if (this.#last?.key === key) return this.#last.from
    return this.size === 1 || this.#last?.key === heard ? this.#end : undefined
  }

  /**
   * Makes a delivery to a stream that is at a position and has these topics. Answers `undefined` where the stream has not
   * been sent what the others have, or the events are not the cohort's.
   */
  step(shared: SharedFrames, at: number, topics: readonly string[]): Step | undefined {
    const last = this.#last
    if (last?.key === shared.key) return last.from.position === at ? last : undefined
    if (at !== this.#end.position || !this.#isFor(topics) || !shared.isAmong(this.#topics)) return undefined
    if (last !== undefined) this.#reconsider(last)
    const start = Math.max(this.#begun, this.#end.position - WINDOW_BYTES)
    const step = new Step(shared, this.#end, start, this.#deflater)
    this.#last = step
    this.#end = step.to
    return step
  }

  close(): void {
    this.#deflater.close()
  }

  // Who may have changed its topics must not set the pace, and what one person alone has left is compressed with nothing.
  #isFor(topics: readonly string[]): boolean {
    for (const topic of this.#topics) if (!topics.includes(topic) || !this.#shared.isShared(topic)) return false
    return true
  }

  // Rents before it buys: newcomers cost at most twice of what they would if it were known how long they stay.
  #reconsider({ members, newcomers }: Step): void {
    this.#owed += newcomers
    if (this.#owed < members * PRICE_OF_BEGINNING) return
    this.#deflater.begin()
    this.#begun = this.#end.position
    this.#owed = 0
  }
}
