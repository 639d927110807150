import { LANES, laneOf, MARK, MARK_WIDTH, now, seqOf, timeOf } from '../mark.ts'
import type { Histogram } from './histogram.ts'

const END = '\n'.charCodeAt(0)
const UNSEEN = -1

/** Counts the events of one stream, and sees to it that none is missing or out of order. */
export class Reader {
  /** Events received. */
  count = 0
  readonly #latencies: Histogram
  readonly #seqs = new Int32Array(LANES).fill(UNSEEN)
  #rest: Buffer | undefined

  constructor(latencies: Histogram) {
    this.#latencies = latencies
  }

  /** Its connection is lost: what was begun on it will not be ended. */
  interrupt(): void {
    this.#rest = undefined
  }

  /**
   * Answers how many events the chunk has brought.
   *
   * @throws {Error} if one is missing, doubled or out of order
   */
  read(received: Buffer): number {
    const time = now()
    const chunk = this.#rest === undefined ? received : Buffer.concat([this.#rest, received])
    const before = this.count
    let end = 0
    for (let at = chunk.indexOf(MARK); at !== -1 && at + MARK_WIDTH <= chunk.length; at = chunk.indexOf(MARK, end)) {
      this.#accept(laneOf(chunk, at), seqOf(chunk, at))
      this.#latencies.add(time - timeOf(chunk, at))
      end = at + MARK_WIDTH
    }
    this.#rest = restOf(chunk, end)
    return this.count - before
  }

  #accept(lane: number, seq: number): void {
    const last = this.#seqs[lane] ?? UNSEEN
    if (last !== UNSEEN && seq !== last + 1) throw new Error(`event ${seq} came after ${last} (lane ${lane})`)
    this.#seqs[lane] = seq
    this.count += 1
  }
}

// A mark may be cut in two, but not where the chunk ends with an event or with HTTP's framing, as nearly all do.
function restOf(chunk: Buffer, end: number): Buffer | undefined {
  if (chunk[chunk.length - 1] === END) return undefined
  return Buffer.from(chunk.subarray(Math.max(end, chunk.length - MARK_WIDTH + 1)))
}
