import type { EventEmitter } from 'node:events'
import type { Context } from 'koa'
import { EventStream } from '../stream/event-stream.ts'

type Listener = Parameters<EventEmitter['on']>[1]
type Listeners = ReadonlyMap<string | symbol, readonly Listener[]>

/**
 * Has let go of what a response holds beside the stream that is its body, once that writes to the response itself:
 *
 * - Koa 3 puts `stream.pipeline()` around them, which watches both for all that may happen to them, with thirty listeners
 *   and their closures: 5 KiB of the heap. The mount watches the response for the stream, and needs none of them.
 * - Node keeps the response's head as the thirty pieces of text that it was put together from.
 *
 * Koa reads `ctx.respond` right before it responds: what is listening by the end of that turn, and was not before, is the
 * pipeline's. If it was somebody else who read it, nobody reads the stream by then, and nothing is let go of.
 */
export function lighten(ctx: Context): void {
  Object.defineProperty(ctx, 'respond', RESPOND)
}

// One for all contexts, so that they go on to share their shape.
const RESPOND: PropertyDescriptor & ThisType<Context> = {
  configurable: true,
  enumerable: true,
  get() {
    const { body, res } = this
    if (body instanceof EventStream && !body.isDirect) dropWhatComes(body, res)
    return undefined
  },
  set(value: unknown) {
    Object.defineProperty(this, 'respond', { configurable: true, enumerable: true, writable: true, value })
  },
}

function dropWhatComes(stream: EventEmitter & Pick<EventStream, 'isDirect'>, response: EventEmitter): void {
  const [ofStream, ofResponse] = [listenersOf(stream), listenersOf(response)]
  queueMicrotask(() => {
    if (!stream.isDirect) return
    removeOthers(stream, ofStream)
    removeOthers(response, ofResponse)
    flattenHead(response)
  })
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
