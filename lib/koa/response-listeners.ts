import { EventEmitter } from 'node:events'
import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { PassThrough, pipeline } from 'node:stream'
import type { Context } from 'koa'
import { EventStream } from '../stream/event-stream.ts'

type Listener = Parameters<EventEmitter['on']>[1]
/** How many listeners an emitter has for each event. */
type Counts = ReadonlyMap<string | symbol, number>

/**
 * Drops the listeners that a streaming response no longer needs, once Koa has piped the stream into it, for the memory that
 * they hold. What they watch for is watched by `ClientConnection`.
 *
 * - Koa 3 puts `stream.pipeline()` around stream and response: 27 listeners and their closures.
 * - Koa has on-finished watch the response and its socket, to hear of errors and to destroy the body.
 *
 * Koa reads `ctx.respond` right before it responds, and nothing is written before the task that does so is over. What has
 * been added in between is taken off if it is as much as Node's pipeline adds, so that it can be nobody else's. Otherwise
 * everything stays, which does no harm.
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
      const before = [countsOf(body), countsOf(res)] as const
      queueMicrotask(() => {
        // Others may have looked, and then respond in Koa's place.
        if (!body.isPiped || Object.getOwnPropertyDescriptor(this, 'respond')?.get === undefined) return
        dropAdded(body, res, before)
        stopOnFinished(res)
      })
    }
    return undefined
  },
  set(value: unknown) {
    Object.defineProperty(this, 'respond', { configurable: true, enumerable: true, writable: true, value })
  },
}

function dropAdded(body: EventEmitter, response: EventEmitter, before: readonly [Counts, Counts]): void {
  const added = [addedTo(body, before[0]), addedTo(response, before[1])] as const
  const pipelines = pipelineListeners()
  if (added[0].length !== pipelines.body || added[1].length !== pipelines.response) return
  for (const [name, listener] of added[0]) body.removeListener(name, listener)
  for (const [name, listener] of added[1]) response.removeListener(name, listener)
}

function countsOf(emitter: EventEmitter): Counts {
  return new Map(emitter.eventNames().map(name => [name, emitter.listenerCount(name)]))
}

// Listeners join at the end. Where somebody has put one in front, there are more than the pipeline's, and all stay.
function addedTo(emitter: EventEmitter, before: Counts): [string | symbol, Listener][] {
  const added: [string | symbol, Listener][] = []
  for (const name of emitter.eventNames()) {
    const known = before.get(name) ?? 0
    if (emitter.listenerCount(name) === known) continue
    for (const listener of emitter.rawListeners(name).slice(known)) added.push([name, listener as Listener])
  }
  return added
}

let counted: { readonly body: number; readonly response: number } | undefined

/** How many listeners this Node's pipeline puts on a stream that pipes itself, and on a response. */
function pipelineListeners(): { readonly body: number; readonly response: number } {
  if (counted !== undefined) return counted
  const body = new SilentlyPiped()
  const response = new ServerResponse(new IncomingMessage(new Socket()))
  const before = [count(body), count(response)] as const
  pipeline(body, response, () => undefined)
  counted = { body: count(body) - before[0], response: count(response) - before[1] }
  body.destroy()
  return counted
}

class SilentlyPiped extends PassThrough {
  override pipe<Destination extends NodeJS.WritableStream>(destination: Destination): Destination {
    return destination
  }
}

function count(emitter: EventEmitter): number {
  return emitter.eventNames().reduce((sum, name) => sum + emitter.listenerCount(name), 0)
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
