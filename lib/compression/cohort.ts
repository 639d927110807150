import { crc32 } from 'node:zlib'
import type { SharedFrames } from '../stream/sink.ts'
import { Chunk } from '../wire/chunk.ts'
import { createDeflater, deflateAlone, WINDOW_BYTES, type Deflater } from './deflater.ts'

// Restarting the window makes the next deliveries larger. For each member that costs about as much as this many
// standalone blocks cost a newcomer.
const RESTART_COST = 3

/** A position in the bytes of a cohort. */
export interface Point {
  /** The number of bytes before it. */
  readonly position: number
  /** The CRC-32 of those bytes, as a signed integer. */
  readonly crc: number
}

/** Tells whether more than one person is subscribed to a topic. */
export interface SharedTopics {
  isShared(topic: string): boolean
}

/**
 * One delivery to a cohort: compressed once against the window, and once as a standalone block for streams that lack
 * the window. All streams are served in the same turn; the bytes are dropped afterwards.
 */
export class Step {
  readonly key: number
  readonly from: Point
  readonly to: Point
  /** How many streams with the window, and how many newcomers, were sent it. */
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

  /**
   * The compressed bytes for a stream that has received the cohort's bytes since a position; `undefined` once they have
   * been dropped.
   */
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
 * Streams that are sent the same events and share one compression window: the last bytes that all of them have
 * received. The window slides with each delivery. A stream that joined after the window's start is a newcomer until the
 * window has slid past the point where it joined, or is restarted because there are many newcomers.
 */
export class Cohort {
  /** Unique among the cohorts of a mount. */
  readonly name: string
  /** The number of streams. */
  size = 0

  readonly #topics: ReadonlySet<string>
  readonly #shared: SharedTopics
  readonly #deflater = createDeflater()
  // Where the window was last restarted.
  #begun = 0
  #end: Point = { position: 0, crc: 0 }
  #last: Step | undefined
  // Deliveries to newcomers since the window was last restarted.
  #standalone = 0

  constructor(name: string, topics: readonly string[], shared: SharedTopics) {
    this.name = name
    this.#topics = new Set(topics)
    this.#shared = shared
  }

  /**
   * Where a stream that is to be sent these events can join: before this delivery, if others have already been sent it;
   * or after the previous one, if that was also the last shared delivery to the stream, or the stream is alone.
   * `undefined` if it has to wait for the next delivery.
   */
  entry(key: number, heard: number | undefined): Point | undefined {
    if (this.#last?.key === key) return this.#last.from
    return this.size === 1 || this.#last?.key === heard ? this.#end : undefined
  }

  /**
   * Delivers events to a stream at a position with these topics. Returns `undefined` if the stream has not received the
   * same bytes as the others, or the events are not the cohort's.
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

  // A stream whose topics have changed must not add to the window, and neither must events of topics that only one
  // person still has.
  #isFor(topics: readonly string[]): boolean {
    for (const topic of this.#topics) if (!topics.includes(topic) || !this.#shared.isShared(topic)) return false
    return true
  }

  // The ski-rental rule: newcomers cost at most twice the optimum, although nobody knows how long they will stay.
  #reconsider({ members, newcomers }: Step): void {
    this.#standalone += newcomers
    if (this.#standalone < members * RESTART_COST) return
    this.#deflater.begin()
    this.#begun = this.#end.position
    this.#standalone = 0
  }
}
