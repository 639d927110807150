import type { Clock } from '../clock.ts'
import { Chunk } from '../wire/chunk.ts'
import { OrderedQueue } from './ordered-queue.ts'
import type { Meaning, SharedFrames, Sink, Taken } from './sink.ts'
import type { Frame, Item } from './write-queue.ts'

/** The most bytes written to a sink at once: Node does not report progress within a write. */
export const PIECE_BYTES = 65_536

/** How many bytes may be buffered before writers are asked to wait. */
export const HIGH_WATER_MARK = 16_384

const NO_BYTES = new Uint8Array(0)

/** A turn of the event loop in which events are delivered, with its time on the monotonic clock. */
export interface Turn {
  readonly now: number
}

/** The writer's callbacks to its stream. */
export interface WritingStream {
  /** There is room for more. */
  room(): void
  /** Everything has been taken, and the sink is being closed. */
  ended(): void
  /** The sink accepts nothing more: queued bytes will never be sent. */
  failed(): void
}

/** The writer's callbacks to the hub. */
export interface WriterHost {
  readonly clock: Clock
  /** Bytes have begun to be buffered for the client. */
  waiting(): void
  /** This many bytes have been written to the sink. */
  sent(bytes: number): void
  /** The queue has grown by this many bytes, or shrunk if negative. */
  kept(bytes: number): void
  /** Everything has been taken, except what is held back. */
  emptied(): void
}

/** How a stream ends. */
export interface Ending {
  /** The last block, if any. */
  readonly last: Uint8Array | undefined
  /** Whether the queue is discarded. */
  readonly discards: boolean
  /** `end` properly, or `cut`, so that the client can tell that the response is incomplete. */
  readonly how: 'end' | 'cut'
  /** Whether the application ends the stream: it may do so in the middle of a block that it writes itself. */
  readonly isOwn: boolean
}

/**
 * Writes all bytes to one client, through one queue. It alone knows what is queued, what has been taken, and how the
 * response ends. A failed write ends the stream, and never counts as sent.
 *
 * One file, since it is a single state machine on the path of every delivery: held or open, busy or idle, ending, over.
 * Each write checks several of these states at once.
 */
export class Writer {
  /** When something was last written, on the monotonic clock. */
  wroteAt = 0
  /**
   * When the client was last known to have taken something, on the monotonic clock; `undefined` after a write without a
   * callback.
   */
  takenAt: number | undefined
  /** The last turn in which events were delivered while next to nothing was buffered. */
  keptUpIn: Turn | undefined

  readonly #stream: WritingStream
  readonly #host: WriterHost
  readonly #queue = new OrderedQueue()
  #sink: Sink | undefined
  // Whether there is no sink yet, or its first bytes were written in this turn of the event loop.
  #isHeld = true
  // Whether a write is in flight whose callback is awaited.
  #isBusy = false
  // Whether somebody waits until everything has been taken.
  #isAwaited = false
  // Whether `waiting` has been called.
  #isWatched = false
  #ending: 'end' | 'cut' | undefined
  #hasEnded = false
  // Nothing more is written to the sink.
  #isOver = false
  #taken: Taken | undefined
  #keptBytes = 0

  constructor(stream: WritingStream, host: WriterHost) {
    this.#stream = stream
    this.#host = host
  }

  /** Bytes buffered in this process for the client. */
  get bufferedBytes(): number {
    return this.#queue.bytes + (this.#sink?.pendingBytes ?? 0)
  }

  /** The part of these that the client could take now. */
  get waitingBytes(): number {
    return this.#isHeld ? 0 : this.#queue.readyBytes + (this.#sink?.pendingBytes ?? 0)
  }

  /** Changes whenever the client has taken something. */
  get progress(): number {
    return this.#sink?.progress ?? 0
  }

  /** Whether more may be written without waiting. */
  get hasRoom(): boolean {
    return this.bufferedBytes <= HIGH_WATER_MARK
  }

  /**
   * Whether there is room for more raw bytes. What is held back behind a block does not count, or the block could never
   * end.
   */
  get hasRoomForBytes(): boolean {
    return this.bufferedBytes - (this.#queue.isInBlock ? this.#queue.heldBackBytes : 0) <= HIGH_WATER_MARK
  }

  /** Whether nothing is buffered, neither for the client nor for the end of a block; or nothing can be written yet. */
  get isIdle(): boolean {
    return this.#isHeld || (!this.#isBusy && this.#queue.isEmpty && this.waitingBytes === 0)
  }

  /** Whether anything written now would be dropped. */
  get isBroken(): boolean {
    return this.#isOver || this.#sink?.isOpen === false
  }

  /** Whether the sink has been closed after everything written. */
  get isEnded(): boolean {
    return this.#hasEnded
  }

  /** Attaches the sink and writes the first bytes. Everything else follows a turn of the event loop later. */
  attach(sink: Sink, first: Uint8Array): void {
    this.#sink = sink
    this.wroteAt = this.#host.clock.monotonic()
    if (sink.isOpen) {
      sink.open(first)
      this.#host.sent(first.length)
    }
    if (this.#isOver) sink.cut()
    else {
      this.#host.clock.turn(() => {
        this.#isHeld = false
        this.#pump()
      })
    }
  }

  /** Writes whole blocks or lines, for this client only or, as a chunk, shared with others. */
  write(data: Uint8Array | Chunk): void {
    if (this.#isOver) return
    const bytes = data instanceof Chunk ? data.bytes : data
    if (this.#canSend && this.bufferedBytes + bytes.length <= HIGH_WATER_MARK) {
      this.#send(data instanceof Chunk ? data : Chunk.of(data), this.#host.clock.monotonic())
      return
    }
    this.#queue.add(bytes)
    this.#pump()
  }

  /** Writes raw bytes, which may end in the middle of a block. */
  writeRaw(bytes: Uint8Array): void {
    if (this.#isOver) return
    this.#queue.addRaw(bytes)
    this.#pump()
  }

  /** Writes what was read from history, before everything held back behind it. */
  writeHistory(items: Iterable<Item>): void {
    if (this.#isOver) return
    for (const item of items) this.#queue.addHistory(item)
    this.#pump()
  }

  /** Holds back everything written from now on, except history. */
  holdBehindHistory(): void {
    this.#queue.holdBehindHistory()
  }

  releaseBehindHistory(): void {
    // Held-back writes were told that there is no room, so they wait for a callback.
    if (this.#queue.releaseBehindHistory()) this.#isAwaited = true
    this.#pump()
  }

  /**
   * Writes shared events in this turn. Returns `false`, writing nothing, if they exceed the limit. A client that has
   * taken everything may be sent events of any length.
   *
   * @param isAhead whether only this stream is sent them already, before the end of the turn
   */
  deliver(shared: SharedFrames, limit: number, turn: Turn, isAhead = false): boolean {
    const buffered = this.bufferedBytes
    // Over TLS and HTTP/2 what was just written is still pending for a moment.
    if (buffered <= Math.min(PIECE_BYTES, limit / 4)) this.keptUpIn = turn
    if (buffered + shared.length <= (limit < PIECE_BYTES ? limit : PIECE_BYTES) && this.#canSend) {
      this.#send(shared.chunk, turn.now, isAhead ? undefined : shared)
      return true
    }
    if (buffered > 0 && buffered + shared.length > limit) return false
    this.writeHistory(shared.frames())
    return true
  }

  /** Writes a heartbeat, unless something is already buffered for the client. */
  beat(chunk: Chunk, now: number): void {
    this.wroteAt = now
    // Held-back data may wait for long, and proxies would cut an idle connection.
    if (this.#isReady && this.waitingBytes === 0 && !this.#queue.isInBlock) this.#send(chunk, now, 'heartbeat')
  }

  /** Removes queued events that `isKept` rejects, except one that has been partly sent. */
  retain(isKept: (frame: Frame) => boolean): void {
    this.#queue.retain(isKept)
    this.#tellKept()
  }

  /** Requests `emptied` and `room` the next time they are true. */
  callBack(): void {
    this.#isAwaited = true
    this.#pump()
  }

  /** Calls `waiting` again for the next bytes that are buffered. */
  unwatch(): void {
    this.#isWatched = false
  }

  /** Closes the sink after the queue. No last block follows a block that has begun and is not finished. */
  finish({ last, discards, how, isOwn }: Ending): void {
    if (this.#isOver) return
    const isWhole = this.#queue.close(discards)
    if (isWhole && last !== undefined) this.#queue.add(last)
    this.#ending = isWhole || isOwn ? how : 'cut'
    this.#pump()
  }

  /** Cuts the response at once. */
  destroy(): void {
    this.#stop()
    this.#sink?.destroy()
  }

  /** Calls back once the sink has closed. */
  onceClosed(listener: () => void): void {
    if (this.#sink === undefined || this.#sink.isClosed) listener()
    else this.#sink.onceClosed(listener)
  }

  // Whether bytes may bypass the queue.
  get #canSend(): boolean {
    return this.#queue.isClear && this.#isReady
  }

  get #isReady(): boolean {
    if (this.#sink === undefined || this.#isHeld || this.#isBusy || this.#isOver) return false
    return this.#ending === undefined && this.#sink.isOpen
  }

  #send(chunk: Chunk, now: number, meaning?: Meaning): void {
    this.wroteAt = now
    this.takenAt = undefined
    this.#sink?.send(chunk, meaning)
    this.#host.sent(chunk.bytes.length)
    this.#watch()
  }

  #watch(): void {
    if (this.#isWatched || this.#sink === undefined || this.#sink.pendingBytes === 0) return
    this.#isWatched = true
    this.#host.waiting()
  }

  // Writes a piece, and the next one when that has been taken.
  #pump(): void {
    this.#tellKept()
    const sink = this.#sink
    if (sink === undefined || this.#isHeld || this.#isBusy || this.#isOver) return
    if (!sink.isOpen) {
      this.#fail()
      return
    }
    const piece = this.#queue.take(PIECE_BYTES)
    if (piece !== undefined) this.#handOn(sink, piece)
    else if (this.#ending !== undefined) this.#end(sink, this.#ending)
    else if (this.#isAwaited && this.#queue.isEmpty) this.#handOn(sink, NO_BYTES)
  }

  // The last piece needs no callback, unless somebody waits for it.
  #handOn(sink: Sink, piece: Uint8Array): void {
    this.#tellKept()
    const now = this.#host.clock.monotonic()
    const isSmall = this.#queue.readyBytes === 0 && sink.pendingBytes + piece.length <= HIGH_WATER_MARK
    if (isSmall && !this.#isAwaited && this.#ending === undefined) {
      this.#send(Chunk.of(piece), now)
      return
    }
    this.#isBusy = true
    this.wroteAt = now
    sink.write(piece, this.#onTaken)
    this.#host.sent(piece.length)
    this.#watch()
  }

  // Created on first use: most clients never have a queue.
  get #onTaken(): Taken {
    this.#taken ??= error => {
      this.#isBusy = false
      if (this.#isOver) return
      if (error) this.#fail()
      else {
        this.takenAt = this.#host.clock.monotonic()
        this.#goOn()
      }
    }
    return this.#taken
  }

  #goOn(): void {
    if (this.#queue.isEmpty && this.#ending === undefined) {
      this.#isAwaited = false
      this.#host.emptied()
    }
    if (this.hasRoomForBytes) this.#stream.room()
    this.#pump()
  }

  #end(sink: Sink, how: 'end' | 'cut'): void {
    this.#stop()
    this.#hasEnded = true
    this.#stream.ended()
    if (how === 'end') sink.end()
    else sink.cut()
  }

  #fail(): void {
    this.#stop()
    this.#stream.failed()
  }

  #stop(): void {
    this.#isOver = true
    this.#queue.clear()
    this.#tellKept()
  }

  #tellKept(): void {
    const { bytes } = this.#queue
    if (bytes === this.#keptBytes) return
    const more = bytes - this.#keptBytes
    this.#keptBytes = bytes
    this.#host.kept(more)
  }
}
