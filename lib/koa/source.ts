import { callAside } from '../application.ts'
import type { Clock } from '../clock.ts'
import type { HubEngine } from '../hub/engine.ts'
import type { Resolution } from '../hub/subscription.ts'
import { isAbortOf } from '../stream/abort.ts'
import type { EventStream } from '../stream/event-stream.ts'
import type { EventInput, EventMap } from '../wire/event.ts'
import type { Identity } from '../auth/identity.ts'

type AnyStream = EventStream<EventMap, Identity | undefined>

// A source whose next event is always ready yields the event loop after this many events or milliseconds, whichever
// comes first.
const EVENTS_A_TURN = 32
const MS_A_TURN = 10

/** The part of a resolver's result that runs with the stream: started when it opens, released when it closes. */
export interface Source {
  start(): void
  release(): void
}

/** Nothing to start or release. */
export const NO_SOURCE: Source = { start: () => undefined, release: () => undefined }

/** Creates the source of a resolver's result. Releases it when the stream closes. */
export function sourceOf(resolution: Resolution, stream: AnyStream, hub: HubEngine): Source {
  const source = makeSource(resolution, stream, hub)
  // The client may have disconnected while the resolver was running.
  if (stream.closed) source.release()
  else if (source !== NO_SOURCE) {
    stream.once('close', () => {
      source.release()
    })
  }
  return source
}

/** Releases a resolver's result that is not used. */
export function discard(resolution: Resolution, stream: AnyStream, hub: HubEngine): void {
  makeSource(resolution, stream, hub).release()
}

function makeSource(resolution: Resolution, stream: AnyStream, hub: HubEngine): Source {
  const failed = (during: string) => (error: unknown) => {
    // A source stopped by its stream's signal has not failed.
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
          // Now, since the client may take long to read what was sent before.
          callAside(() => pump.stop(), failed('source'))
        },
      )
    },
    // Even while the source waits for something else, and would not notice the disconnect.
    release: () => {
      callAside(() => pump.stop(), failed('source'))
    },
  }
}

/**
 * Moves events from an iterator to a stream. Calls `return()` like `for await`: once, and not if the iterator has
 * ended.
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

  /** Requests the next event only when there is room in the client's buffer. */
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
      if (!isResult(next)) throw new TypeError('the iterator of the source must return { done, value }')
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

  // Awaiting settled promises never yields to the event loop, so that not even a disconnect would be noticed.
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
