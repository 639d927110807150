import { Histogram, type Counts } from '../load/histogram.ts'
import { now } from '../mark.ts'
import type { Opened } from '../load/crowd.ts'
import { Visitor, type Host } from './visitor.ts'

const CONCURRENCY = 64
const STORIES = 3

export interface Visit {
  readonly path: string
  /** Header lines of each, each with its CR LF. */
  readonly headers: readonly string[]
}

export interface Status {
  readonly open: number
  /** How many streams that had been open have ended. */
  readonly ended: number
  /** How many requests got no stream. */
  readonly refused: number
  /** The fewest and the most events that one has received. */
  readonly least: number
  readonly most: number
  /** How many have received fewer than the most, and what the first of them have lived through. */
  readonly behind: number
  readonly stories: readonly string[]
}

/** The visitors of one load generator, with a load balancer before the servers: the one with the fewest streams is next. */
export class Visitors implements Host {
  path = ''
  readonly latencies = new Histogram()
  readonly #visitors: Visitor[] = []
  /** Streams by port, of the servers that take any. */
  #servers = new Map<number, number>()
  #open = 0
  #ended = 0
  #refused = 0
  #failure: Error | undefined
  #oneMore: () => void = () => undefined

  /** Names the servers that take streams. Those that are not named any more keep theirs for as long as they like. */
  use(ports: readonly number[]): void {
    this.#servers = new Map(ports.map(port => [port, this.#servers.get(port) ?? 0]))
  }

  /** Resolves when each of them has a stream. */
  async come({ path, headers }: Visit): Promise<Opened> {
    this.path = path
    const first = now()
    const arrivals = headers.map(header => new Visitor(this, header))
    this.#visitors.push(...arrivals)
    const wanted = this.#open + arrivals.length
    await new Promise<void>(resolve => {
      const come = () => arrivals.pop()?.come()
      this.#oneMore = () => {
        come()
        if (this.#open === wanted) resolve()
      }
      for (let n = 0; n < CONCURRENCY; n += 1) come()
    })
    this.#oneMore = () => undefined
    return { first, last: now() }
  }

  /** @throws {Error} where anybody has missed an event, or got one twice or out of order */
  status(): Status {
    if (this.#failure !== undefined) throw this.#failure
    let [least, most] = [Infinity, 0]
    for (const { reader } of this.#visitors) {
      least = Math.min(least, reader.count)
      most = Math.max(most, reader.count)
    }
    const behind = this.#visitors.filter(({ reader }) => reader.count < most)
    const stories = behind.slice(0, STORIES).map(visitor => visitor.story)
    return { open: this.#open, ended: this.#ended, refused: this.#refused, least, most, behind: behind.length, stories }
  }

  /** How long events took since this was asked last. */
  takeLatencies(): Counts {
    const counts = this.latencies.counts()
    this.latencies.clear()
    return counts
  }

  close(): void {
    for (const visitor of this.#visitors.splice(0)) visitor.close()
  }

  pick(): number {
    let [best, fewest] = [0, Infinity]
    for (const [port, streams] of this.#servers) if (streams < fewest) [best, fewest] = [port, streams]
    this.#servers.set(best, fewest + 1)
    return best
  }

  opened(): void {
    this.#open += 1
    this.#oneMore()
  }

  left(port: number, wasOpen: boolean): void {
    const streams = this.#servers.get(port)
    if (streams !== undefined) this.#servers.set(port, streams - 1)
    if (wasOpen) {
      this.#open -= 1
      this.#ended += 1
    } else this.#refused += 1
  }

  failed(error: Error): void {
    this.#failure ??= error
  }
}
