import type { Clock } from '../clock.ts'
import type { Registry } from './registry.ts'
import type { StreamIndex } from './stream-index.ts'
import type { Subscriber } from './subscriber.ts'

/** An open stream, with what an operator may see: no address, no session and no token. */
export interface OpenStream {
  readonly id: string
  /** The `id` of its identity; `undefined` on a public route. */
  readonly identity: string | undefined
  /** Its number among the streams opened on this instance. */
  readonly order: number
  /** Milliseconds since it was opened. */
  readonly age: number
  readonly topics: readonly string[]
  /** Bytes buffered in this process for its client. */
  readonly buffered: number
  /** Whether this is its id. An id is generated when first read: until then no id matches. */
  isCalled(id: string): boolean
}

/** A read-only view of this instance's streams and topics, for operators. Costs nothing until it is used. */
export class Inspection {
  readonly #streams: StreamIndex
  readonly #registry: Registry
  readonly #clock: Clock

  constructor(streams: StreamIndex, registry: Registry, clock: Clock) {
    this.#streams = streams
    this.#registry = registry
    this.#clock = clock
  }

  /** Visits each open stream. The visitor must not keep the object. */
  eachStream(visit: (stream: OpenStream) => void): void {
    const now = this.#clock.monotonic()
    this.#streams.each(subscriber => {
      const { order, stream } = subscriber
      if (order !== undefined && stream.closeReason === undefined) visit(new Seen(subscriber, order, now))
    })
  }

  /** Visits each topic that has streams, with their number. */
  eachTopic(visit: (topic: string, streams: number) => void): void {
    this.#registry.eachTopic(visit)
  }

  /** Closes the stream with an id; its client may reconnect. Returns whether there was one. */
  cut(id: string): boolean {
    const [found] = this.#streams.find({ stream: id }).filter(({ stream }) => stream.closeReason === undefined)
    found?.stream.close('server')
    return found !== undefined
  }
}

// Properties are computed lazily: of many streams, most are skipped after a look at their identity.
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
