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

/** What is known of a stream when it is made. */
export interface StreamFields<Who> {
  readonly identity: Who
  readonly lastEventId: string | undefined
}

/**
 * One client's `text/event-stream`: what a subscription resolver is handed, and what `ctx.body` is.
 *
 * It is a `PassThrough`: bytes written or piped into it reach the client as they are. Where Koa pipes it into the response,
 * its writer writes to the response itself; with anything in between, such as a compressor, it is read like any other
 * stream.
 */
export class EventStream<Events extends object = EventMap, Who = Identity> extends PassThrough {
  /** Who holds the stream; `undefined` only where the route says `authenticate: false`. */
  readonly identity: Who
  /** The id of the last event the client has seen, as it says itself: not to be trusted. */
  readonly lastEventId: string | undefined

  /**
   * What carries the stream to the client.
   *
   * @internal
   */
  connection: StreamConnection = NO_CONNECTION

  /** @internal */
  readonly writer: Writer

  /**
   * Whether the application has given an event of its own an id.
   *
   * @internal
   */
  hasOwnIds = false

  /**
   * Whether anything has been sent or written by the application.
   *
   * @internal
   */
  hasWritten = false

  /**
   * Whether it carries its source's events and no block of ours. Only its source's end ends the response properly then,
   * since nothing else says that it was cut short.
   *
   * @internal
   */
  isPlain = false

  /**
   * Is told what a long poll waits for; `undefined` where the stream is none.
   *
   * @internal
   */
  news: StreamNews | undefined

  /**
   * Whether it has been piped into a response, or is read by something else.
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
  // Calls back for a write that waits until there is room; writes behind it wait in Node's own buffer.
  #waitingWrite: { readonly bytes: number; readonly done: () => void } | undefined
  #admitsAll = false
  #finished: (() => void) | undefined

  constructor(fields: StreamFields<Who>, host: StreamHost) {
    super({ highWaterMark: HIGH_WATER_MARK })
    this.identity = fields.identity
    this.lastEventId = fields.lastEventId
    this.#host = host
    this.writer = new Writer(this, host)
    // Koa listens once the stream is the body; a failure before that must not end the process.
    this.on('error', ignore)
  }

  /** Random; for logs, and told to the client in the data of its first `cursor` event, to change its topics by. */
  get id(): string {
    this.#id ??= this.#host.clock.id()
    return this.#id
  }

  /**
   * Whether it has this `id`. One whose id nobody has asked for is called nothing yet.
   *
   * @internal
   */
  isCalled(id: string): boolean {
    return this.#id === id
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

  /** Bytes that wait in this process for the client to read. */
  get bufferedBytes(): number {
    return this.writer.bufferedBytes + this.#parkedBytes
  }

  /**
   * Sends an event to this client alone. It is in no history: a client that resumes does not get it again. It comes behind
   * whatever was published, sent or written before.
   *
   * @returns once the client's buffer has room for more: `true`, or `false` if the stream has closed. While the resolver
   *   is being asked nobody reads, and it returns at once: all that is sent by then has to fit into `buffer.bytes`.
   * @throws {EventStreamError} `ERR_EVENT_INVALID` or `ERR_EVENT_TOO_LARGE`, as a rejection; nothing was sent then.
   */
  async send(event: EventInput<Events>): Promise<boolean> {
    const { frame, hasId } = encodeOwnEvent(event, this.#host, this.#host.hasTopics)
    if (hasId) this.hasOwnIds = true
    return this.#carry(frame)
  }

  /**
   * Sends events with ids of their own that were encoded once for many streams. One whose client is behind waits until they
   * fit into its buffer.
   *
   * @returns as `send` does
   * @internal
   */
  async share(events: Chunk): Promise<boolean> {
    this.hasOwnIds = true
    while (this.#reason === undefined && !this.#fits(events.bytes.length)) await this.#roomForMore()
    return this.#carry(events)
  }

  /** Writes a comment, which clients ignore and proxies count as life: a line for each line of the text. */
  comment(text: string): void {
    this.offer(encodeComment(text))
  }

  /**
   * Adds topics while the stream lives. It gets what is published to them from a moment on that is between this call and
   * its answer, so that state which is loaded after `await stream.subscribe()` joins without a seam; while the resolver is
   * asked, from the moment on when that was called. What came before is not replayed, but to a client that resumes and gets
   * its first topics: it gets what it has missed.
   *
   * @returns once the topics are live; while the resolver is asked, at once.
   * @throws {EventStreamError} `ERR_TOPIC_INVALID`, `ERR_BROKER`, `ERR_STREAM_CLOSED`, or `ERR_EVENT_INVALID` on a stream
   *   that has sent events with ids of its own, as a rejection.
   * @throws {TypeError} as a rejection, for more topics than `limits.topics`.
   */
  async subscribe(...topics: string[]): Promise<void> {
    if (this.#reason !== undefined) throw new EventStreamError('ERR_STREAM_CLOSED', 'the stream has closed')
    await this.#host.subscribe(topics)
  }

  /** Takes topics away: nothing of theirs leaves the process any more. Topics that it does not have are ignored. */
  unsubscribe(...topics: string[]): void {
    this.#host.unsubscribe(topics)
  }

  /**
   * Ends the stream. With `server` and `done` what has been sent and published to it goes out first, however long a client
   * takes that goes on reading; with `logout` and `revoked` it is thrown away. The client is told the reason. A browser's
   * EventSource will come back all the same, unless it is then answered with something other than 200: answer `null`
   * from the resolver to make it stop.
   *
   * @throws {TypeError} for another reason
   */
  close(reason: RequestedCloseReason = 'server'): void {
    oneOf('reason', reason, REQUESTED_CLOSE_REASONS)
    this.finish(reason)
  }

  /**
   * Writes bytes of whole blocks within the bound of the buffer; over it the stream is closed as slow.
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
   * Ends the stream: nothing more is accepted, and what waits goes out first, unless the reason is that its client has lost
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
   * Ends at once, with what is buffered thrown away. Also cuts short an end that takes too long.
   *
   * @internal
   */
  abandon(reason: CloseReason): void {
    this.#begin(reason)
    this.writer.destroy()
    this.destroy()
  }

  /** Ends the stream as done, as a source that is piped in does when it comes to its end. */
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
    // Whoever writes need not know that the stream has been closed; a client that leaves is no error either.
    const callback = args.find(isCallback)
    if (callback !== undefined) {
      queueMicrotask(() => {
        callback(new EventStreamError('ERR_STREAM_CLOSED', 'the stream has closed'))
      })
    }
    return false
  }

  /**
   * Into a response it is piped until its end, whatever the options say: the response is the stream's. Headers and first
   * bytes go out behind the task that pipes.
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
      // The response is written to directly, so nobody else reads this side to its end.
      if (this.#piped !== undefined) return
      this.push(null)
      this.resume()
    }
    if (this.writer.isEnded) this.#finished()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#begin(error === null ? this.connection.whyEnded() : 'error')
    if (error !== null) this.connection.failed(error)
    if (!this.writer.isEnded) this.writer.destroy()
    this.writer.onceClosed(() => {
      this.#host.closed()
      super._destroy(error, done)
    })
  }

  // What the writer says.

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
    // Its end is told by the connection: what others have put behind it may still be on its way.
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

  // A client that has read everything before them may be given bytes of any number.
  #fits(bytes: number): boolean {
    const buffered = this.bufferedBytes
    return buffered === 0 || buffered + bytes <= this.#host.bufferBytes
  }

  #carry(data: Uint8Array | Chunk): boolean | Promise<boolean> {
    this.offer(data)
    // What every stream begins with would end each poll as soon as it is opened.
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

  // Bytes of writes that the writer has not got yet.
  get #parkedBytes(): number {
    return this.#waitingWrite === undefined ? 0 : this.writableLength - this.#waitingWrite.bytes
  }

  // Whatever is written now comes behind the writes that wait for room.
  #admitWrites(): void {
    const write = this.#waitingWrite
    if (write === undefined) return
    this.#waitingWrite = undefined
    this.#admitsAll = true
    write.done()
    this.#admitsAll = false
  }

  // All sends that wait share one wait, since an application may send without waiting in between.
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
    `the resolver has sent ${String(bytes)} bytes before it answered, over the ${String(limit)} bytes of \`buffer.bytes\`: send what is large as a source, or once the stream is open`,
  )
}
