// Microseconds a bucket, and buckets: two minutes in all.
const WIDTH = 50
const BUCKETS = 2_400_000

/** Buckets with how many times are in each, without the empty ones. */
export type Counts = readonly (readonly [bucket: number, count: number])[]

/** How many times took how long, in buckets of 50 µs. */
export class Histogram {
  readonly #buckets = new Uint32Array(BUCKETS)
  #count = 0

  /** The times of several as those of one. */
  static merged(all: readonly Counts[]): Histogram {
    const merged = new Histogram()
    for (const [bucket, count] of all.flat()) {
      merged.#buckets[bucket] = (merged.#buckets[bucket] ?? 0) + count
      merged.#count += count
    }
    return merged
  }

  get count(): number {
    return this.#count
  }

  /** Microseconds. */
  add(time: number): void {
    const bucket = Math.min(BUCKETS - 1, Math.max(0, Math.floor(time / WIDTH)))
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1
    this.#count += 1
  }

  /** The time that so large a part of all took at most, in milliseconds; `NaN` for none. */
  quantile(part: number): number {
    const rank = Math.ceil(this.#count * part)
    if (rank === 0) return NaN
    let seen = 0
    const bucket = this.#buckets.findIndex(count => (seen += count) >= rank)
    return ((bucket + 1) * WIDTH) / 1_000
  }

  /** What is in it, to be sent to another process. */
  counts(): Counts {
    const counts: [number, number][] = []
    for (const [bucket, count] of this.#buckets.entries()) if (count > 0) counts.push([bucket, count])
    return counts
  }

  clear(): void {
    this.#buckets.fill(0)
    this.#count = 0
  }
}
