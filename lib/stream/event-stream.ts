import { Buffer } from 'node:buffer'
import { randomUUID } from 'node:crypto'
import { PassThrough } from 'node:stream'
import type { Chunk } from '../wire/chunk.ts'
import { checkEvent, type EventInput, type EventMap, type Redact } from '../wire/event.ts'
import { encodeComment, encodeEvent } from '../wire/frame.ts'
import { EventStreamError } from '../errors.ts'
import type { Identity } from '../auth/identity.ts'
import type { CloseReason, RequestedCloseReason } from './close-reason.ts'
import { Outlet } from './outlet.ts'
import { isResponse } from './response.ts'

// How much may wait before `send()` and pipes into the stream wait too.
const HIGH_WATER_MARK = 16_384

/** What a stream needs of the hub that it lives in. */
export interface StreamHost {
  /** Whether the stream is only being prepared: nobody reads it yet. */
  readonly isOpening: boolean
  /** Whether the stream has topics of the hub: its ids are the hub's cursor then. */
  readonly hasTopics: boolean
  /** The most bytes that may wait for the client. */
  readonly bufferBytes: number
  /** The most bytes an event may have on the wire. */
  readonly maxEventBytes: number
  readonly redact: Redact | undefined
  /** Milliseconds since 1970. */
  now(): number
  /** Has the events written that are due to the stream in this turn of the event loop. */
  flush(): void
  subscribe(topics: readonly string[]): Promise<void>
  unsubscribe(topics: readonly string[]): void
  /** Called once, when the stream begins to end: nothing more will be accepted. */
  closing(reason: CloseReason): void
  /** Called once, when nothing is left of the stream. */
  closed(): void
}

/** What a stream needs of the response that it becomes the body of. */
export interface Carrier {
  /** Why others than this package destroy the stream: Koa does, with the response. */
  whyDestroyed(): CloseReason
  /** Is told of an error that the stream was destroyed with, once it is the body. Must not throw. */
  failed(error: Error): void
  /** Is told that the stream has begun to write to the response. May throw, to stop whoever pipes. */
  piped(): void
  /** Breaks the response off. */
  cut(): void
}

const NOBODY: Carrier = Object.freeze({ whyDestroyed: () => 'client', failed: ignore, piped: ignore, cut: ignore })

/** What is known of a stream when it is made. */
export interface StreamFields<Who> {
  readonly identity: Who
  readonly lastEventId: string | undefined
}

/**
 * One client's `text/event-stream`: what a subscription resolver is handed, and what `ctx.body` is.
 *
 * It is a `PassThrough`: bytes written or piped into it reach the client as they are. Where Koa pipes it straight into
 * the response, it writes to the response itself, so that bytes wait in one place only; with anything in between,
 * such as a compressor, it is piped like any other stream.
 */
export class EventStream<Events extends object = EventMap, Who = Identity> extends PassThrough {
  /** Who holds the stream; `undefined` only where the route says `authenticate: false`. */
  readonly identity: Who
  /** The id of the last event the client has seen, as it says itself: not to be trusted. */
  readonly lastEventId: string | undefined

  /**
   * Who carries the stream to the client.
   *
   * @internal
   */
  carrier: Carrier = NOBODY

  /**
   * When something was last written, in milliseconds since 1970.
   *
   * @internal
   */
  wroteAt = 0

  readonly #host: StreamHost
  #outlet: Outlet | undefined
  // Bytes that were handed on to whoever reads this stream.
  #passed = 0
  // Bytes of a write that have been handed on, and still count as waiting here.
  #held = 0
  #id: string | undefined
  #reason: CloseReason | undefined
  #abort: AbortController | undefined
  #room: Promise<boolean> | undefined

  constructor(fields: StreamFields<Who>, host: StreamHost) {
    super({ highWaterMark: HIGH_WATER_MARK })
    this.identity = fields.identity
    this.lastEventId = fields.lastEventId
    this.#host = host
    // Koa listens once the stream is the body; a failure before that must not end the process.
    this.on('error', ignore)
  }

  /** Random; for logs. */
  get id(): string {
    this.#id ??= randomUUID()
    return this.#id
  }

  /**
   * Aborted when the stream closes, for whatever reason; `signal.reason` is the close reason. Give it to whatever works for
   * this client. `pipeline()` needs it, too: it does not hear of an end that does not come from its source.
   */
  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController()
      if (this.#reason !== undefined) this.#abort.abort(this.#reason)
    }
    return this.#abort.signal
  }

  /** Why the stream ended, `undefined` while it is open. */
  get closeReason(): CloseReason | undefined {
    return this.#reason
  }

  /**
   * Whether it writes to the response itself.
   *
   * @internal
   */
  get isDirect(): boolean {
    return this.#outlet !== undefined
  }

  /** Bytes that wait in this process for the client to read. */
  get bufferedBytes(): number {
    return this.writableLength - this.#held + (this.#outlet?.bufferedBytes ?? this.readableLength)
  }

  /** Bytes that have left this process. Where it stands still while bytes are buffered, the client is stuck. */
  get deliveredBytes(): number {
    return this.#outlet?.deliveredBytes ?? this.#passed - this.readableLength
  }

  /**
   * Sends an event to this client alone. It is in no history: a client that resumes does not get it again.
   *
   * @returns once the client's buffer has room for more: `true`, or `false` if the stream has closed. While the resolver
   *   is being asked nobody reads, and it returns at once: all that is sent by then has to fit into `buffer.bytes`.
   * @throws {EventStreamError} `ERR_EVENT_INVALID` or `ERR_EVENT_TOO_LARGE`, as a rejection; nothing was sent then.
   */
  async send(event: EventInput<Events>): Promise<boolean> {
    const checked = checkEvent(event, this.#host.redact)
    if (checked.id !== undefined && this.#host.hasTopics) {
      throw new EventStreamError('ERR_EVENT_INVALID', 'on a stream with topics the ids are the cursor: leave `id` out')
    }
    const frame = encodeEvent(checked)
    if (frame.length > this.#host.maxEventBytes) throw tooLarge(frame.length, this.#host.maxEventBytes)
    if (this.offer(frame)) return true
    if (this.#reason !== undefined) return false
    return this.#host.isOpening || this.#roomForMore()
  }

  /** Writes a comment, which clients ignore and proxies count as life. */
  comment(text: string): void {
    this.offer(encodeComment(text))
  }

  /**
   * Adds topics while the stream lives. From now on it gets their events; what came before is not replayed, since the
   * ids on a stream always rise.
   *
   * @returns once the topics are live.
   * @throws {EventStreamError} `ERR_TOPIC_INVALID`, `ERR_BROKER`, or `ERR_STREAM_CLOSED`, as a rejection.
   * @throws {TypeError} as a rejection, for more topics than `limits.topics`.
   */
  async subscribe(...topics: string[]): Promise<void> {
    if (this.#reason !== undefined) throw new EventStreamError('ERR_STREAM_CLOSED', 'the stream has closed')
    await this.#host.subscribe(topics)
  }

  /** Takes topics away: nothing of theirs is sent any more. Topics that the stream does not have are ignored. */
  unsubscribe(...topics: string[]): void {
    this.#host.unsubscribe(topics)
  }

  /**
   * Ends the stream after what has been sent and published to it. A browser's EventSource will come back, unless it is then
   * answered with something other than 200: answer `null` from the resolver to make it stop.
   */
  close(reason: RequestedCloseReason = 'server'): void {
    this.#host.flush()
    this.finish(reason)
  }

  /**
   * Hands bytes to the client within the bound of the buffer; over it the stream is closed as slow.
   * Answers whether there is room for more.
   *
   * @internal
   */
  offer(bytes: Uint8Array): boolean {
    if (this.#reason !== undefined || this.writableEnded) return false
    const buffered = this.bufferedBytes
    // A client that has read everything before them may be given bytes of any number.
    if (buffered === 0 || buffered + bytes.length <= this.#host.bufferBytes) return this.write(bytes)
    this.abandon('slow')
    return false
  }

  /**
   * Takes bytes that many streams share, unless there is no room for them, and answers whether there was. They go straight
   * to the response where the client keeps up. Where much waits, it waits here and is handed on piece by piece, so that it
   * shows whether the client reads. The caller says what time it is: asking for each stream would be a twentieth of
   * what a delivery costs.
   *
   * @internal
   */
  deliver(chunk: Chunk, now: number): boolean {
    const outlet = this.#outlet
    const buffered = this.bufferedBytes
    if (buffered > 0 && buffered + chunk.bytes.length > this.#host.bufferBytes) return false
    if (outlet === undefined || this.writableLength > 0 || buffered > HIGH_WATER_MARK) this.write(chunk.bytes)
    else if (!outlet.hasEnded) {
      this.wroteAt = now
      outlet.send(chunk)
    }
    return true
  }

  /**
   * Begins to end: nothing more is accepted, what is buffered still goes out.
   *
   * @internal
   */
  finish(reason: CloseReason): void {
    if (!this.#begin(reason)) return
    this.end()
  }

  /**
   * Ends at once, with what is buffered thrown away. Also cuts short an end that takes too long.
   *
   * @internal
   */
  abandon(reason: CloseReason): void {
    this.#begin(reason)
    // Koa 2 leaves a response open whose body is destroyed, and the client would wait for ever.
    this.#outlet?.destroy()
    this.destroy()
  }

  /** Ends the stream as done, as a source that is piped in does when it comes to its end. */
  override end(callback?: () => void): this
  override end(chunk: unknown, callback?: () => void): this
  override end(chunk: unknown, encoding: BufferEncoding, callback?: () => void): this
  override end(...rest: unknown[]): this {
    this.#host.flush()
    // At once: whoever still has something to write, such as a replay, must not write behind the end.
    this.#begin('done')
    return super.end(...(rest as Parameters<PassThrough['end']>))
  }

  override write(chunk: unknown, callback?: (error: Error | null | undefined) => void): boolean
  override write(
    chunk: unknown,
    encoding: BufferEncoding,
    callback?: (error: Error | null | undefined) => void,
  ): boolean
  override write(...args: unknown[]): boolean {
    if (!this.writableEnded) return super.write(...(args as [chunk: unknown, encoding: BufferEncoding]))
    // Whoever writes need not know that the stream has been closed; a client that leaves is no error either.
    const callback = args.find(isCallback)
    if (callback !== undefined) {
      queueMicrotask(() => {
        callback(new EventStreamError('ERR_STREAM_CLOSED', 'the stream has closed'))
      })
    }
    return false
  }

  /** Into a response it is piped until its end, whatever the options say: the response is the stream's. */
  override pipe<Destination extends NodeJS.WritableStream>(
    destination: Destination,
    options?: { end?: boolean },
  ): Destination {
    if (this.#outlet !== undefined || !isResponse(destination)) return super.pipe(destination, options)
    const outlet = new Outlet(destination)
    // From here on nothing is read from this side, by which more would be asked for.
    this.#outlet = outlet
    const waiting = this.#takeAll()
    // Whoever waits to write more, such as a replay, goes on when the client has taken what went before.
    const goOn = (): void => {
      // What was destroyed before Koa came to respond has no end of its own any more.
      if (this.destroyed) this.carrier.cut()
      else super._read(HIGH_WATER_MARK)
    }
    if (waiting.length === 0) goOn()
    else outlet.write(waiting, goOn)
    if (this.errored !== null) this.carrier.failed(this.errored)
    if (this.writableEnded) this.resume()
    this.carrier.piped()
    return destination
  }

  override _read(size: number): void {
    if (this.#outlet === undefined) super._read(size)
  }

  override _write(chunk: Uint8Array, encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.wroteAt = this.#host.now()
    // What is left waits for the response's end, which is near.
    if (this.#outlet?.hasEnded) return
    this.#held = chunk.length
    const passed = (error?: Error | null): void => {
      this.#held = 0
      callback(error)
    }
    if (this.#outlet === undefined) {
      this.#passed += chunk.length
      super._write(chunk, encoding, passed)
    } else {
      // A failed write is no error of this stream's: the client has gone, and the response's end says so.
      this.#outlet.write(chunk, () => {
        passed()
      })
    }
  }

  override _final(callback: (error?: Error | null) => void): void {
    super._final(callback)
    // The response is written to directly, so nobody else reads this side to its end.
    if (this.#outlet !== undefined) this.resume()
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#begin(error === null ? this.carrier.whyDestroyed() : 'error')
    if (error !== null) this.carrier.failed(error)
    const settle = (): void => {
      this.#host.closed()
      super._destroy(error, callback)
    }
    const outlet = this.#outlet
    if (outlet === undefined || outlet.hasClosed) {
      // What was put in between waits for an end that does not come.
      if (this.readableFlowing !== null && !this.readableEnded) this.carrier.cut()
      settle()
      return
    }
    outlet.onceClosed(settle)
    // An end that was read to its end still waits for the client to take the last bytes.
    if (this.readableEnded) outlet.end()
    else outlet.destroy()
  }

  #begin(reason: CloseReason): boolean {
    if (this.#reason !== undefined) return false
    this.#reason = reason
    this.#abort?.abort(reason)
    this.#host.closing(reason)
    return true
  }

  // What was written before there was a response. Newer Nodes read it a chunk at a time.
  #takeAll(): Buffer {
    const chunks: Buffer[] = []
    for (let chunk: unknown = this.read(); chunk instanceof Buffer; chunk = this.read()) chunks.push(chunk)
    return Buffer.concat(chunks)
  }

  // All sends that wait share one wait, since an application may send without waiting in between.
  #roomForMore(): Promise<boolean> {
    this.#room ??= new Promise(resolve => {
      const settle = (): void => {
        this.off('drain', settle)
        this.off('close', settle)
        this.#room = undefined
        resolve(this.#reason === undefined)
      }
      this.on('drain', settle)
      this.on('close', settle)
    })
    return this.#room
  }
}

function ignore(): void {}

function isCallback(value: unknown): value is (error: Error) => void {
  return typeof value === 'function'
}

function tooLarge(bytes: number, limit: number): EventStreamError {
  return new EventStreamError(
    'ERR_EVENT_TOO_LARGE',
    `an event of ${String(bytes)} bytes is over the limit of ${String(limit)} bytes`,
  )
}
