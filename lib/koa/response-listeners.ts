import { EventEmitter } from 'node:events'
import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { PassThrough, pipeline } from 'node:stream'
import type { Context } from 'koa'
import { EventStream } from '../stream/event-stream.ts'
import { settleEncoding } from './encoding.ts'

/** The number of listeners added for each event. */
type Additions = readonly (readonly [event: string | symbol, listeners: number])[]

/**
 * Drops the listeners that a streaming response no longer needs once Koa has piped the stream into it, to save their
 * memory. `ClientConnection` watches for the same events.
 *
 * - Koa 3 puts `stream.pipeline()` around stream and response: 27 listeners and their closures.
 * - Koa lets on-finished watch the response and its socket, to notice errors and to destroy the body.
 *
 * Koa reads `ctx.respond` right before it responds, and nothing is written until that task is over. Listeners added in
 * between are removed only if their number for each event is exactly what Node's pipeline adds, so that they cannot be
 * anybody else's. Otherwise all stay, which does no harm.
 */
export function dropResponseListeners(ctx: Context): void {
  // `respond` is set: the application responds in Koa's place.
  if (!Object.hasOwn(ctx, 'respond')) Object.defineProperty(ctx, 'respond', RESPOND)
}

// One descriptor for all contexts, so that they keep sharing their hidden class.
const RESPOND: PropertyDescriptor & ThisType<Context> = {
  configurable: true,
  enumerable: true,
  get() {
    settleEncoding(this)
    const { body, res } = this
    if (body instanceof EventStream && !body.isPiped) {
      const added = pipelineAdditions()
      const [onBody, onResponse] = [new AddedListeners(body, added.body), new AddedListeners(res, added.response)]
      queueMicrotask(() => {
        // Something else may have read `respond`, and then set it to respond in Koa's place.
        if (!body.isPiped || Object.getOwnPropertyDescriptor(this, 'respond')?.get === undefined) return
        if (onBody.areComplete && onResponse.areComplete) {
          onBody.drop()
          onResponse.drop()
        }
        stopOnFinished(res)
      })
    }
    return undefined
  },
  set(value: unknown) {
    Object.defineProperty(this, 'respond', { configurable: true, enumerable: true, writable: true, value })
  },
}

type Listener = ReturnType<EventEmitter['rawListeners']>[number]

/** The listeners added to an emitter from now on. New listeners come last. */
class AddedListeners {
  readonly #emitter: EventEmitter
  readonly #expected: Additions
  readonly #before: readonly (readonly Listener[])[]

  constructor(emitter: EventEmitter, expected: Additions) {
    this.#emitter = emitter
    this.#expected = expected
    this.#before = expected.map(([event]) => emitter.rawListeners(event))
  }

  /** Whether the earlier listeners are unchanged, and exactly the expected number has been added. */
  get areComplete(): boolean {
    return this.#expected.every(([event, listeners], i) => {
      const [before, now] = [this.#before[i] ?? [], this.#emitter.rawListeners(event)]
      return now.length - before.length === listeners && before.every((listener, at) => listener === now[at])
    })
  }

  drop(): void {
    for (const [i, [event]] of this.#expected.entries()) {
      for (const listener of this.#emitter.rawListeners(event).slice(this.#before[i]?.length)) {
        this.#emitter.removeListener(event, listener as Parameters<EventEmitter['on']>[1])
      }
    }
  }
}

let additions: { readonly body: Additions; readonly response: Additions } | undefined

/**
 * The listeners that `pipeline()` of this version of Node adds to a stream with a `pipe` of its own, and to a response.
 */
function pipelineAdditions(): { readonly body: Additions; readonly response: Additions } {
  if (additions !== undefined) return additions
  const body = new SilentlyPiped()
  const response = new ServerResponse(new IncomingMessage(new Socket()))
  const before = [countsOf(body), countsOf(response)] as const
  pipeline(body, response, () => undefined)
  additions = { body: additionsSince(before[0], body), response: additionsSince(before[1], response) }
  body.destroy()
  return additions
}

function additionsSince(before: ReadonlyMap<string | symbol, number>, emitter: EventEmitter): Additions {
  return [...countsOf(emitter)]
    .map(([event, listeners]) => [event, listeners - (before.get(event) ?? 0)] as const)
    .filter(([, listeners]) => listeners > 0)
}

function countsOf(emitter: EventEmitter): ReadonlyMap<string | symbol, number> {
  return new Map(emitter.eventNames().map(event => [event, emitter.listenerCount(event)]))
}

class SilentlyPiped extends PassThrough {
  override pipe<Destination extends NodeJS.WritableStream>(destination: Destination): Destination {
    return destination
  }
}

// The listeners of Koa itself: in `app.handleRequest()`, and where a stream becomes the body.
const KOAS_OWN = 2

// Only if on-finished's queue has no listeners but Koa's. Later calls start a watch of their own. Over HTTP/2 not all
// of its listeners can be removed.
function stopOnFinished(response: EventEmitter): void {
  const queue = onFinishedQueue(response)
  if (queue?.length !== KOAS_OWN || response.listenerCount('end') !== 1) return
  queue.length = 0
  // Responses never emit `end`, but on-finished takes it for the end of any message and removes its listeners.
  response.emit('end')
}

// Private, but there is no other way to find out, and it has been the same since 2014. If it is missing, all listeners
// stay.
function onFinishedQueue(response: object): unknown[] | undefined {
  const watch = '__onFinished' in response ? response.__onFinished : undefined
  return typeof watch === 'function' && 'queue' in watch && Array.isArray(watch.queue) ? watch.queue : undefined
}
