import { callAside } from '../application.ts'
import type { Clock } from '../clock.ts'
import type { HubEngine } from '../hub/engine.ts'
import type { Resolution } from '../hub/subscription.ts'
import { isAbortOf } from '../stream/abort.ts'
import type { EventStream } from '../stream/event-stream.ts'
import type { EventInput, EventMap } from '../wire/event.ts'
import type { Identity } from '../auth/identity.ts'

type AnyStream = EventStream<EventMap, Identity | undefined>

// How long a source that always has its next event at hand may keep everybody else waiting: so many events, or
// milliseconds, whatever comes first.
const EVENTS_A_TURN = 32
const MS_A_TURN = 10

/** What a resolver left to be done with its stream, once it lives and once it has closed. */
export interface Source {
  start(): void
  release(): void
}

/** Nothing is left to be done. */
export const NO_SOURCE: Source = { start: () => undefined, release: () => undefined }

/** The part of a resolver's answer that outlives the opening of the stream. Releases it when the stream closes. */
export function sourceOf(resolution: Resolution, stream: AnyStream, hub: HubEngine): Source {
  const source = makeSource(resolution, stream, hub)
  // The client may have gone while the resolver was busy.
  if (stream.closed) source.release()
  else if (source !== NO_SOURCE) {
    stream.once('close', () => {
      source.release()
    })
  }
  return source
}

/** Lets go of an answer of which no use is made. */
export function discard(resolution: Resolution, stream: AnyStream, hub: HubEngine): void {
  makeSource(resolution, stream, hub).release()
}

function makeSource(resolution: Resolution, stream: AnyStream, hub: HubEngine): Source {
  const failed = (during: string) => (error: unknown) => {
    // A source that is stopped by its stream's signal has done as it was told.
    if (!isAbortOf(stream.signal, error)) hub.failed(during, error, stream)
  }
  if (resolution.kind === 'cleanup') {
    const { cleanup } = resolution
    return {
      start: () => undefined,
      release: () => {
        callAside(cleanup, failed('clean-up'))
      },
    }
  }
  if (resolution.kind !== 'source') return NO_SOURCE
  const pump = new Pump(resolution.iterator, stream, hub.clock)
  return {
    start: () => {
      pump.run().then(
        () => {
          stream.finish('done')
        },
        (error: unknown) => {
          failed('source')(error)
          stream.finish('error')
          // The client may need long to read what was sent before.
          callAside(() => pump.stop(), failed('source'))
        },
      )
    },
    // Also where the source waits for something else just now and would not notice that the client has gone.
    release: () => {
      callAside(() => pump.stop(), failed('source'))
    },
  }
}

/**
 * Moves events from an iterator to a stream, with the manners of `for await`: one that has ended is not returned from,
 * and any other once.
 */
class Pump {
  readonly #iterator: AsyncIterator<EventInput>
  readonly #stream: AnyStream
  readonly #clock: Clock
  #ended = false
  #events = 0
  #turnedAt = 0

  constructor(iterator: AsyncIterator<EventInput>, stream: AnyStream, clock: Clock) {
    this.#iterator = iterator
    this.#stream = stream
    this.#clock = clock
  }

  /** Asks for the next event only when the client has room for it. */
  async run(): Promise<void> {
    this.#turnedAt = this.#clock.monotonic()
    for (let next = await this.#next(); next.done !== true; next = await this.#next()) {
      if (!(await this.#stream.send(next.value))) return
      if (this.#mustYield()) await this.#turn()
    }
  }

  stop(): unknown {
    if (this.#ended) return undefined
    this.#ended = true
    return this.#iterator.return?.()
  }

  async #next(): Promise<IteratorResult<EventInput>> {
    try {
      const next: unknown = await this.#iterator.next()
      if (!isResult(next))
        throw new TypeError('the iterator of the source answered something else than { done, value }')
      if (next.done === true) this.#ended = true
      return next
    } catch (error) {
      this.#ended = true
      throw error
    }
  }

  #mustYield(): boolean {
    this.#events += 1
    return this.#events >= EVENTS_A_TURN || this.#clock.monotonic() - this.#turnedAt >= MS_A_TURN
  }

  // Promises that are settled already never let the event loop turn: nobody would even hear that the client has left.
  async #turn(): Promise<void> {
    await new Promise<void>(resolve => {
      this.#clock.turn(resolve)
    })
    this.#events = 0
    this.#turnedAt = this.#clock.monotonic()
  }
}

function isResult(value: unknown): value is IteratorResult<EventInput> {
  return typeof value === 'object' && value !== null
}
