import type { HubEngine } from '../hub/engine.ts'
import type { Resolution } from '../hub/subscription.ts'
import { isAbortOf } from '../stream/abort.ts'
import type { EventStream } from '../stream/event-stream.ts'
import type { EventInput, EventMap } from '../wire/event.ts'
import type { Identity } from '../auth/identity.ts'

type AnyStream = EventStream<EventMap, Identity | undefined>

/** What a resolver left to be done with its stream, once it lives and once it has closed. */
export interface Source {
  start(): void
  release(): void
}

const NONE: Source = { start: () => undefined, release: () => undefined }

/** The part of a resolver's answer that outlives the opening of the stream. Releases it when the stream closes. */
export function sourceOf(resolution: Resolution, stream: AnyStream, hub: HubEngine): Source {
  const source = makeSource(resolution, stream, hub)
  // The client may have gone while the resolver was busy.
  if (stream.closed) source.release()
  else if (source !== NONE) {
    stream.once('close', () => {
      source.release()
    })
  }
  return source
}

/**
 * Lets go of an answer that came too late to be used.
 *
 * @throws what a source throws that cannot be iterated, such as a locked `ReadableStream`
 */
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
        settle(cleanup, failed('clean-up'))
      },
    }
  }
  if (resolution.kind !== 'source') return NONE
  const pump = new Pump(resolution.source[Symbol.asyncIterator](), stream)
  return {
    start: () => {
      pump.run().then(
        () => {
          stream.finish('done')
        },
        (error: unknown) => {
          failed('source')(error)
          stream.finish('error')
        },
      )
    },
    // Also where the source waits for something else just now and would not notice that the client has gone.
    release: () => {
      settle(() => pump.stop(), failed('source'))
    },
  }
}

/** Moves events from an iterator to a stream, with the manners of `for await`: one that has ended is not returned from. */
class Pump {
  readonly #iterator: AsyncIterator<EventInput>
  readonly #stream: AnyStream
  #ended = false

  constructor(iterator: AsyncIterator<EventInput>, stream: AnyStream) {
    this.#iterator = iterator
    this.#stream = stream
  }

  /** Asks for the next event only when the client has room for it. */
  async run(): Promise<void> {
    for (let next = await this.#next(); next.done !== true; next = await this.#next()) {
      if (!(await this.#stream.send(next.value))) return
    }
  }

  async stop(): Promise<void> {
    if (!this.#ended) await this.#iterator.return?.()
  }

  async #next(): Promise<IteratorResult<EventInput>> {
    try {
      const next = await this.#iterator.next()
      this.#ended = next.done === true
      return next
    } catch (error) {
      this.#ended = true
      throw error
    }
  }
}

function settle(work: () => unknown, failed: (error: unknown) => void): void {
  Promise.resolve().then(work).catch(failed)
}
