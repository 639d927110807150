import type { EventEmitter } from 'node:events'
import type { Context } from 'koa'
import { EventStream } from '../stream/event-stream.ts'

type Listener = Parameters<EventEmitter['on']>[1]
type Listeners = ReadonlyMap<string | symbol, readonly Listener[]>

/** Thrown to stop Koa's `stream.pipeline()`, where it begins to pipe. It reaches `ctx.onerror`, and nobody else. */
export const RESPONDED = new Error('the stream has responded by itself')

// Koa waits for the end of each response in `app.handleRequest()`, and again where a stream is made the body.
const KOAS_OWN = 2

// What listened when Koa came to respond. It responds without a pause, so that one of them is enough.
let before: { readonly body: unknown; readonly listeners: ReadonlyMap<EventEmitter, Listeners> } | undefined

/**
 * Has let go of what a response holds beside the stream that is its body, once that writes to the response itself:
 *
 * - Koa 3 puts `stream.pipeline()` around them, which watches both for all that may happen to them, with thirty listeners
 *   and their closures: 5 KiB of the heap. The mount watches the response for the stream, and needs none of them.
 * - Koa has on-finished watch the response and its socket, to hear of errors of the connection, and to destroy the body:
 *   another 2.8 KiB. The mount does both. Over HTTP/2, on-finished cannot take all of its listeners off.
 * - Node keeps the response's head as the thirty pieces of text that it was put together from.
 *
 * Koa reads `ctx.respond` right before it responds. Others may read it, too: they do not pipe in the same breath.
 */
export function lighten(ctx: Context): void {
  // Whoever responds in Koa's place has said so.
  if (!Object.hasOwn(ctx, 'respond')) Object.defineProperty(ctx, 'respond', RESPOND)
}

/**
 * Called when a stream has begun to write to its response. Where it is Koa that pipes the one into the other, lets go of
 * all that `lighten` names, and stops Koa's pipeline.
 *
 * @throws `RESPONDED`
 */
export function stopPipeline(ctx: Context): void {
  const { body, res } = ctx
  if (before === undefined || before.body !== body) return
  for (const [emitter, listeners] of before.listeners) removeOthers(emitter, listeners)
  forget()
  stopWatch(res)
  flattenHead(res)
  throw RESPONDED
}

// One for all contexts, so that they go on to share their shape.
const RESPOND: PropertyDescriptor & ThisType<Context> = {
  configurable: true,
  enumerable: true,
  get() {
    const { body, res } = this
    if (body instanceof EventStream && !body.isDirect) {
      before = { body, listeners: new Map([body, res].map(emitter => [emitter, listenersOf(emitter)])) }
      queueMicrotask(forget)
    }
    return undefined
  },
  set(value: unknown) {
    forget()
    Object.defineProperty(this, 'respond', { configurable: true, enumerable: true, writable: true, value })
  },
}

function forget(): void {
  before = undefined
}

// Only where no more wait in on-finished's queue than Koa itself. Later calls of it begin a watch of their own.
function stopWatch(response: EventEmitter): void {
  const queue = queueOf(response)
  if (queue?.length !== KOAS_OWN || response.listenerCount('end') !== 1) return
  queue.length = 0
  // No response emits it, but on-finished takes it for the end of any message, and removes its listeners.
  response.emit('end')
}

// It has no other way to be asked who waits, and is the same since 2014.
function queueOf(response: object): unknown[] | undefined {
  const watch = '__onFinished' in response ? response.__onFinished : undefined
  return typeof watch === 'function' && 'queue' in watch && Array.isArray(watch.queue) ? watch.queue : undefined
}

// Reading a character of a text has V8 lay it out in one piece.
function flattenHead(response: object): void {
  if ('_header' in response && typeof response._header === 'string') response._header.charCodeAt(0)
}

function listenersOf(emitter: EventEmitter): Listeners {
  return new Map(emitter.eventNames().map(name => [name, emitter.rawListeners(name) as Listener[]]))
}

function removeOthers(emitter: EventEmitter, kept: Listeners): void {
  for (const [name, listeners] of listenersOf(emitter)) {
    for (const listener of listeners) if (!kept.get(name)?.includes(listener)) emitter.removeListener(name, listener)
  }
}
