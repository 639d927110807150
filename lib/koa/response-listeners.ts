import { EventEmitter } from 'node:events'
import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { PassThrough, pipeline } from 'node:stream'
import type { Context } from 'koa'
import { EventStream } from '../stream/event-stream.ts'

/** How many listeners are added for which events. */
type Additions = readonly (readonly [event: string | symbol, listeners: number])[]

/**
 * Drops the listeners that a streaming response no longer needs, once Koa has piped the stream into it, for the memory that
 * they hold. What they watch for is watched by `ClientConnection`.
 *
 * - Koa 3 puts `stream.pipeline()` around stream and response: 27 listeners and their closures.
 * - Koa has on-finished watch the response and its socket, to hear of errors and to destroy the body.
 *
 * Koa reads `ctx.respond` right before it responds, and nothing is written before the task that does so is over. What has
 * been added in between is taken off if it is for each event as much as Node's pipeline adds, so that it can be nobody else's.
 * Otherwise everything stays, which does no harm.
 */
export function dropResponseListeners(ctx: Context): void {
  // Whoever responds in Koa's place has said so.
  if (!Object.hasOwn(ctx, 'respond')) Object.defineProperty(ctx, 'respond', RESPOND)
}

// One for all contexts, so that they go on to share their shape.
const RESPOND: PropertyDescriptor & ThisType<Context> = {
  configurable: true,
  enumerable: true,
  get() {
    const { body, res } = this
    if (body instanceof EventStream && !body.isPiped) {
      const added = pipelineAdditions()
      const [onBody, onResponse] = [new AddedListeners(body, added.body), new AddedListeners(res, added.response)]
      queueMicrotask(() => {
        // Others may have looked, and then respond in Koa's place.
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

/** What is added to an emitter from now on. Listeners join at the end. */
class AddedListeners {
  readonly #emitter: EventEmitter
  readonly #expected: Additions
  readonly #before: readonly (readonly Listener[])[]

  constructor(emitter: EventEmitter, expected: Additions) {
    this.#emitter = emitter
    this.#expected = expected
    this.#before = expected.map(([event]) => emitter.rawListeners(event))
  }

  /** Whether those that were there are, and just as many have been added as are expected. */
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

/** The listeners that this Node's pipeline puts on a stream that pipes itself, and on a response. */
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

// Koa waits for the end of each response in `app.handleRequest()`, and again where a stream is made the body.
const KOAS_OWN = 2

// Only where no more wait in on-finished's queue than Koa itself. Later calls of it begin a watch of their own. Over HTTP/2
// it cannot take all of its listeners off.
function stopOnFinished(response: EventEmitter): void {
  const queue = onFinishedQueue(response)
  if (queue?.length !== KOAS_OWN || response.listenerCount('end') !== 1) return
  queue.length = 0
  // No response emits it, but on-finished takes it for the end of any message, and removes its listeners.
  response.emit('end')
}

// Private, but it has no other way to be asked who waits, and is the same since 2014. Where it is missing all stays on.
function onFinishedQueue(response: object): unknown[] | undefined {
  const watch = '__onFinished' in response ? response.__onFinished : undefined
  return typeof watch === 'function' && 'queue' in watch && Array.isArray(watch.queue) ? watch.queue : undefined
}
