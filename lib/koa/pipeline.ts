import type { EventEmitter } from 'node:events'
import type { Context } from 'koa'
import { EventStream } from '../stream/event-stream.ts'

type Listener = Parameters<EventEmitter['on']>[1]
type Listeners = readonly (readonly [name: string | symbol, listeners: readonly Listener[]])[]

/**
 * Has taken off again what Koa 3 puts on a response whose body is a stream: `stream.pipeline()` watches both for all that
 * may happen to them, with thirty listeners and their closures, which is more memory than all the rest of a stream. One
 * that writes to the response itself needs none of them, since the mount watches the response for it.
 *
 * Koa reads `ctx.respond` right before it responds: what is listening by the end of that turn, and was not before, is the
 * pipeline's. If it was somebody else who read it, nobody reads the stream by then, and nothing is taken off.
 */
export function dropPipeline(ctx: Context): void {
  Object.defineProperty(ctx, 'respond', RESPOND)
}

// One for all contexts, so that they go on to share their shape.
const RESPOND: PropertyDescriptor & ThisType<Context> = {
  configurable: true,
  enumerable: true,
  get() {
    const { body, res } = this
    if (body instanceof EventStream && !body.isDirect) dropWhatComes(body, [body, res])
    return undefined
  },
  set(value: unknown) {
    Object.defineProperty(this, 'respond', { configurable: true, enumerable: true, writable: true, value })
  },
}

function dropWhatComes(stream: Pick<EventStream, 'isDirect'>, emitters: readonly EventEmitter[]): void {
  const before = emitters.map(listenersOf)
  queueMicrotask(() => {
    if (stream.isDirect) emitters.forEach((emitter, index) => setListeners(emitter, before[index] ?? []))
  })
}

function listenersOf(emitter: EventEmitter): Listeners {
  return emitter.eventNames().map(name => [name, emitter.rawListeners(name) as Listener[]])
}

// All anew: an object that names were deleted from takes more memory.
function setListeners(emitter: EventEmitter, listeners: Listeners): void {
  emitter.removeAllListeners()
  for (const [name, all] of listeners) for (const listener of all) emitter.on(name, listener)
}
