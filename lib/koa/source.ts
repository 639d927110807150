import type { HubEngine } from '../hub/hub.ts'
import type { Resolution } from '../hub/subscription.ts'
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

/** Lets go of an answer that came too late to be used. */
export function discard(resolution: Resolution, stream: AnyStream, hub: HubEngine): void {
  makeSource(resolution, stream, hub).release()
}

function makeSource(resolution: Resolution, stream: AnyStream, hub: HubEngine): Source {
  const failed = (during: string) => (error: unknown) => {
    hub.failed(during, error, stream)
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
  const iterator = resolution.source[Symbol.asyncIterator]()
  return {
    start: () => {
      pump(iterator, stream).then(
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
      settle(() => iterator.return?.(), failed('source'))
    },
  }
}

// Asks for the next event only when the client has room for it.
async function pump(iterator: AsyncIterator<EventInput>, stream: AnyStream): Promise<void> {
  for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
    if (!(await stream.send(next.value))) return
  }
}

function settle(work: () => unknown, failed: (error: unknown) => void): void {
  Promise.resolve().then(work).catch(failed)
}
