import type { Clock } from '../clock.ts'
import type { Registry } from './registry.ts'
import type { StreamIndex } from './stream-index.ts'
import type { Subscriber } from './subscriber.ts'

/** An open stream, as an operator may see it: no address, no session and no token. */
export interface OpenStream {
  readonly id: string
  /** The `id` of its identity; `undefined` where the route is open to all. */
  readonly identity: string | undefined
  /** Which of this instance's streams it was. */
  readonly order: number
  /** Milliseconds since it was opened. */
  readonly age: number
  readonly topics: readonly string[]
  /** Bytes that wait in this process for its client to read. */
  readonly buffered: number
  /** Whether this is its id. One that nobody has asked for is no one's. */
  isCalled(id: string): boolean
}

/** What there is on this instance, looked at from outside. It costs nothing until somebody looks. */
export class Inspection {
  readonly #streams: StreamIndex
  readonly #registry: Registry
  readonly #clock: Clock

  constructor(streams: StreamIndex, registry: Registry, clock: Clock) {
    this.#streams = streams
    this.#registry = registry
    this.#clock = clock
  }

  /** Calls back with each open stream. What it is given must not be kept. */
  eachStream(visit: (stream: OpenStream) => void): void {
    const now = this.#clock.monotonic()
    this.#streams.each(subscriber => {
      const { order, stream } = subscriber
      if (order !== undefined && stream.closeReason === undefined) visit(new Seen(subscriber, order, now))
    })
  }

  /** Calls back with each topic that has a stream, and how many it has. */
  eachTopic(visit: (topic: string, streams: number) => void): void {
    this.#registry.eachTopic(visit)
  }

  /** Ends the stream of an id, whose client may come back. Answers whether there was one. */
  cut(id: string): boolean {
    const [found] = this.#streams.find({ stream: id }).filter(({ stream }) => stream.closeReason === undefined)
    found?.stream.close('server')
    return found !== undefined
  }
}

// Most of many streams are passed over after a look at their identity: the rest is found out when it is asked for.
class Seen implements OpenStream {
  readonly order: number
  readonly #subscriber: Subscriber
  readonly #now: number

  constructor(subscriber: Subscriber, order: number, now: number) {
    this.#subscriber = subscriber
    this.order = order
    this.#now = now
  }

  get id(): string {
    return this.#subscriber.stream.id
  }

  isCalled(id: string): boolean {
    return this.#subscriber.stream.isCalled(id)
  }

  get identity(): string | undefined {
    return this.#subscriber.identity?.id
  }

  get age(): number {
    return Math.round(this.#now - this.#subscriber.openedAt)
  }

  get topics(): readonly string[] {
    return this.#subscriber.topics
  }

  get buffered(): number {
    return this.#subscriber.stream.bufferedBytes
  }
}
