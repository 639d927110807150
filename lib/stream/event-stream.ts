import { PassThrough } from 'node:stream'
import type { Identity } from '../auth/identity.ts'
import { EventStreamError } from '../errors.ts'
import { oneOf } from '../options.ts'
import { Chunk } from '../wire/chunk.ts'
import type { EventInput, EventMap } from '../wire/event.ts'
import { encodeComment } from '../wire/frame.ts'
import { encodeOwnEvent } from '../wire/publication.ts'
import { discardsQueue, REQUESTED_CLOSE_REASONS, type CloseReason, type RequestedCloseReason } from './close-reason.ts'
import { PipedSink } from './piped-sink.ts'
import { responseSink } from './response-sink.ts'
import { NO_CONNECTION, type StreamConnection, type StreamHost, type StreamNews } from './stream-host.ts'
import { HIGH_WATER_MARK, Writer } from './writer.ts'

// One file: Node requires a stream's hooks to be methods of one class, and here they share one state, the reason of the
// end with the writes and sends that wait for room.

/** The fields of a new stream. */
export interface StreamFields<Who> {
  readonly identity: Who
  readonly lastEventId: string | undefined
}

/**
 * One client's `text/event-stream`: the argument of a subscription resolver, and the value of `ctx.body`.
 *
 * It is a `PassThrough`: bytes written or piped into it reach the client as they are. If Koa pipes it directly into the
 * response, its writer writes to the response itself; with anything in between, such as a compressor, it is read like
 * any other stream.
 */
export class EventStream<Events extends object = EventMap, Who = Identity> extends PassThrough {
  /** The identity of the client; `undefined` only if the route has `authenticate: false`. */
  readonly identity: Who
  /** The id of the last event that the client claims to have seen. Untrusted. */
  readonly lastEventId: string | undefined

  /**
   * The connection that carries the stream to the client.
   *
   * @internal
   */
  connection: StreamConnection = NO_CONNECTION

  /** @internal */
  readonly writer: Writer

  /**
   * Whether the application has sent an event with an id of its own.
   *
   * @internal
   */
  hasOwnIds = false

  /**
   * Whether the application has sent or written anything.
   *
   * @internal
   */
  hasWritten = false

  /**
   * Whether the stream carries only its source's events, without control events of this library. Only the end of the
   * source ends the response properly then, since no control event could tell the client that the stream was cut short.
   *
   * @internal
   */
  isPlain = false

  /**
   * Notified of what a long poll waits for; `undefined` unless the stream is a long poll.
   *
   * @internal
   */
  news: StreamNews | undefined

  /**
   * Whether it has been piped into a response, or is being read by something else.
   *
   * @internal
   */
  isPiped = false

  readonly #host: StreamHost
  #piped: PipedSink | undefined
  #id: string | undefined
  #reason: CloseReason | undefined
  #abort: AbortController | undefined
  #room: { readonly promise: Promise<boolean>; readonly resolve: (isOpen: boolean) => void } | undefined
  // The callback of a write that waits for room; later writes wait in Node's own buffer.
  #waitingWrite: { readonly bytes: number; readonly done: () => void } | undefined
  #admitsAll = false
  #finished: (() => void) | undefined

  constructor(fields: StreamFields<Who>, host: StreamHost) {
    super({ highWaterMark: HIGH_WATER_MARK })
    this.identity = fields.identity
    this.lastEventId = fields.lastEventId
    this.#host = host
    this.writer = new Writer(this, host)
    // Koa adds its listener once the stream is the body; an error before that must not crash the process.
    this.on('error', ignore)
  }

  /**
   * Random; for logs. Sent to the client in the data of its first `cursor` event, for requests that change its topics.
   */
  get id(): string {
    this.#id ??= this.#host.clock.id()
    return this.#id
  }

  /**
   * Whether it has this `id`. An id is only generated when it is first read, so an unread one matches nothing.
   *
   * @internal
   */
  isCalled(id: string): boolean {
    return this.#id === id
  }

  /**
   * Aborted when the stream closes, whatever the reason; `signal.reason` is the close reason. Pass it to anything that
   * works for this client. Pass it to `pipeline()`, too, which does not notice an end that does not come from its
   * source.
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

  /** Bytes buffered in this process until the client reads them. */
  get bufferedBytes(): number {
    return this.writer.bufferedBytes + this.#parkedBytes
  }

  /**
   * Sends an event to this client only. It is not in history: a client that resumes does not get it again. It is sent
   * after everything published, sent or written before.
   *
   * @returns once the client's buffer has room for more: `true`, or `false` if the stream has closed. While the
   *   resolver is running nothing is read yet, so it resolves at once: all that is sent until then must fit into
   *   `buffer.bytes`.
   * @throws {EventStreamError} `ERR_EVENT_INVALID` or `ERR_EVENT_TOO_LARGE`, as a rejection; nothing was sent then.
   */
  async send(event: EventInput<Events>): Promise<boolean> {
    const { frame, hasId } = encodeOwnEvent(event, this.#host, this.#host.hasTopics)
    if (hasId) this.hasOwnIds = true
    return this.#carry(frame)
  }

  /**
   * Sends events with ids of their own that were encoded once for many streams. Waits until they fit into the buffer of
   * a slow client.
   *
   * @returns as `send` does
   * @internal
   */
  async share(events: Chunk): Promise<boolean> {
    this.hasOwnIds = true
    while (this.#reason === undefined && !this.#fits(events.bytes.length)) await this.#roomForMore()
    return this.#carry(events)
  }

  /** Writes a comment, one line for each line of the text. Clients ignore comments; to proxies they are traffic. */
  comment(text: string): void {
    this.offer(encodeComment(text))
  }

  /**
   * Adds topics to the open stream. It gets what is published to them from a moment between the call and its
   * resolution, so that state loaded after `await stream.subscribe()` joins without a gap; while the resolver is
   * running, from the moment when that was called. Earlier events are not replayed, unless the client resumes and these
   * are the stream's first topics: then it gets what it missed.
   *
   * @returns once the topics are live; while the resolver is running, at once.
   * @throws {EventStreamError} `ERR_TOPIC_INVALID`, `ERR_BROKER`, `ERR_STREAM_CLOSED`, or `ERR_EVENT_INVALID` on a
   *   stream that has sent events with ids of its own, as a rejection.
   * @throws {TypeError} as a rejection, for more topics than `limits.topics`.
   */
  async subscribe(...topics: string[]): Promise<void> {
    if (this.#reason !== undefined) throw new EventStreamError('ERR_STREAM_CLOSED', 'the stream has closed')
    await this.#host.subscribe(topics)
  }

  /**
   * Removes topics: none of their events are sent any more, queued ones included. Topics that it does not have are
   * ignored.
   */
  unsubscribe(...topics: string[]): void {
    this.#host.unsubscribe(topics)
  }

  /**
   * Ends the stream and tells the client the reason. With `server` and `done` everything sent and published before goes
   * out first, however long that takes as long as the client keeps reading; with `logout` and `revoked` it is
   * discarded. A browser's EventSource reconnects anyway, unless it then gets a status other than 200: return `null`
   * from the resolver to stop it.
   *
   * @throws {TypeError} for another reason
   */
  close(reason: RequestedCloseReason = 'server'): void {
    oneOf('reason', reason, REQUESTED_CLOSE_REASONS)
    this.finish(reason)
  }

  /**
   * Writes whole blocks. If they exceed the limit of the buffer, the stream is closed as slow.
   *
   * @internal
   */
  offer(data: Uint8Array | Chunk): void {
    if (this.#reason !== undefined || this.writableEnded) return
    this.hasWritten = true
    this.#host.flush()
    this.#admitWrites()
    const { length } = data instanceof Chunk ? data.bytes : data
    if (this.#fits(length)) this.writer.write(data)
    else if (this.#host.isOpening) this.destroy(tooMuch(this.bufferedBytes + length, this.#host.bufferBytes))
    else this.abandon('slow')
  }

  /**
   * Ends the stream: nothing more is accepted. The queue goes out first, unless the reason is that the client has lost
   * the right to read it.
   *
   * @internal
   */
  finish(reason: CloseReason): void {
    if (this.#reason !== undefined) return
    const discards = discardsQueue(reason)
    if (!discards) this.#host.flush()
    this.#admitWrites()
    const last = this.#host.lastBlock(reason)
    if (!this.#begin(reason)) return
    this.writer.finish({ last, discards, how: this.#host.mustCut(reason) ? 'cut' : 'end', isOwn: reason === 'done' })
    super.end()
  }

  /**
   * Ends at once and discards the queue. Also cuts short an end that takes too long.
   *
   * @internal
   */
  abandon(reason: CloseReason): void {
    this.#begin(reason)
    this.writer.destroy()
    this.destroy()
  }

  /** Ends the stream as `done`, as a source piped into it does at its end. */
  override end(callback?: () => void): this
  override end(chunk: unknown, callback?: () => void): this
  override end(chunk: unknown, encoding: BufferEncoding, callback?: () => void): this
  override end(...rest: unknown[]): this {
    const callback = rest.find(isCallback)
    const [chunk, encoding] = rest.filter(argument => argument !== callback)
    if (chunk !== undefined && chunk !== null) this.write(chunk, encoding as BufferEncoding)
    if (callback !== undefined) this.once('finish', callback)
    this.finish('done')
    return this
  }

  override write(chunk: unknown, callback?: (error: Error | null | undefined) => void): boolean
  override write(
    chunk: unknown,
    encoding: BufferEncoding,
    callback?: (error: Error | null | undefined) => void,
  ): boolean
  override write(...args: unknown[]): boolean {
    if (!this.writableEnded) {
      this.#host.flush()
      return super.write(...(args as [chunk: unknown, encoding: BufferEncoding]))
    }
    // Node would emit `error`. But the caller may not know yet that the stream has closed, and a disconnect is no
    // error.
    const callback = args.find(isCallback)
    if (callback !== undefined) {
      queueMicrotask(() => {
        callback(new EventStreamError('ERR_STREAM_CLOSED', 'the stream has closed'))
      })
    }
    return false
  }

  /**
   * A response always ends with the stream, whatever `options` says. Headers and first bytes are written in a
   * microtask, after the code that pipes.
   */
  override pipe<Destination extends NodeJS.WritableStream>(
    destination: Destination,
    options?: { end?: boolean },
  ): Destination {
    const sink = this.isPiped ? undefined : responseSink(destination, this.#host.clock)
    if (sink === undefined) {
      this.#attachReader()
      return super.pipe(destination, options)
    }
    this.isPiped = true
    destination.emit('pipe', this)
    queueMicrotask(() => {
      this.writer.attach(this.#host.encode(sink), this.#host.firstBytes())
      if (this.errored !== null) this.connection.failed(this.errored)
    })
    return destination
  }

  override _read(): void {
    this.#attachReader()
    this.#piped?.wanted()
  }

  override _write(chunk: Uint8Array, _: BufferEncoding, done: (error?: Error | null) => void): void {
    this.hasWritten = true
    this.writer.writeRaw(chunk)
    if (this.#admitsAll || this.writer.hasRoomForBytes || this.#reason !== undefined) {
      done()
      return
    }
    this.#waitingWrite = { bytes: chunk.length, done }
    this.writer.callBack()
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#finished = () => {
      this.#finished = undefined
      done()
      // The response is written to directly, so nobody reads this side to its end.
      if (this.#piped !== undefined) return
      this.push(null)
      this.resume()
    }
    if (this.writer.isEnded) this.#finished()
  }

  // Once it has finished, a `PassThrough` without this pushes the end; but a sink that compresses still has its trailer
  // to push.
  override _flush(): void {}

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#begin(error === null ? this.connection.whyEnded() : 'error')
    if (error !== null) this.connection.failed(error)
    if (!this.writer.isEnded) this.writer.destroy()
    this.writer.onceClosed(() => {
      this.#host.closed()
      super._destroy(error, done)
    })
  }

  // Called by the writer.

  /** @internal */
  room(): void {
    const write = this.#waitingWrite
    this.#waitingWrite = undefined
    write?.done()
    if (this.writer.hasRoom) this.#settleRoom()
  }

  /** @internal */
  ended(): void {
    this.#finished?.()
  }

  /** @internal */
  failed(): void {
    // Not destroyed: what others have written to the response may still be in flight. The connection's close does that.
    this.#begin(this.connection.whyEnded())
  }

  #begin(reason: CloseReason): boolean {
    if (this.#reason !== undefined) return false
    this.#reason = reason
    this.#abort?.abort(reason)
    this.#host.closing(reason)
    this.#settleRoom()
    return true
  }

  // A client that has read everything may be sent any number of bytes at once.
  #fits(bytes: number): boolean {
    const buffered = this.bufferedBytes
    return buffered === 0 || buffered + bytes <= this.#host.bufferBytes
  }

  #carry(data: Uint8Array | Chunk): boolean | Promise<boolean> {
    this.offer(data)
    // The first events of every stream would end each poll as soon as it is opened.
    if (!this.#host.isOpening) this.news?.carried()
    if (this.#reason !== undefined || this.writer.isBroken) return false
    return this.#host.isOpening || this.writer.hasRoom || this.#roomForMore()
  }

  #attachReader(): void {
    if (this.isPiped) return
    this.isPiped = true
    this.#piped = new PipedSink(this, () => this.connection)
    this.writer.attach(this.#host.encode(this.#piped), this.#host.firstBytes())
  }

  // Bytes of writes that have not reached the writer yet.
  get #parkedBytes(): number {
    return this.#waitingWrite === undefined ? 0 : this.writableLength - this.#waitingWrite.bytes
  }

  // Passes on writes that wait for room, so that what is written next comes after them.
  #admitWrites(): void {
    const write = this.#waitingWrite
    if (write === undefined) return
    this.#waitingWrite = undefined
    this.#admitsAll = true
    write.done()
    this.#admitsAll = false
  }

  // All waiting sends share one promise, since an application may send without awaiting.
  #roomForMore(): Promise<boolean> {
    this.#room ??= waiting()
    this.writer.callBack()
    return this.#room.promise
  }

  #settleRoom(): void {
    this.#room?.resolve(this.#reason === undefined)
    this.#room = undefined
  }
}

function ignore(): void {}

function waiting(): { promise: Promise<boolean>; resolve: (isOpen: boolean) => void } {
  let resolve: (isOpen: boolean) => void = ignore
  const promise = new Promise<boolean>(settle => {
    resolve = settle
  })
  return { promise, resolve }
}

function isCallback(value: unknown): value is (error?: Error) => void {
  return typeof value === 'function'
}

function tooMuch(bytes: number, limit: number): EventStreamError {
  return new EventStreamError(
    'ERR_EVENT_TOO_LARGE',
    `the resolver sent ${String(bytes)} bytes before it returned, over the limit of ${String(limit)} (\`buffer.bytes\`): return large data as a source, or send it once the stream is open`,
  )
}
