import type { Clock } from '../clock.ts'
import { Chunk } from '../wire/chunk.ts'
import { OrderedQueue } from './ordered-queue.ts'
import type { Meaning, SharedFrames, Sink, Taken } from './sink.ts'
import type { Frame, Item } from './write-queue.ts'

/** The most bytes that are handed to a sink at once: Node does not tell of progress inside a write. */
export const PIECE_BYTES = 65_536

/** How many bytes may wait before whoever writes is asked to wait, too. */
export const HIGH_WATER_MARK = 16_384

const NO_BYTES = new Uint8Array(0)

/** A turn of the event loop in which events are delivered, and its time by the monotonic clock. */
export interface Turn {
  readonly now: number
}

/** What a writer tells its stream. */
export interface WritingStream {
  /** So little waits that more may be written. */
  room(): void
  /** Everything has been taken, and the sink is being ended. */
  ended(): void
  /** The sink takes nothing any more: what waits will never be sent. */
  failed(): void
}

/** What a writer tells whoever looks after its stream. */
export interface WriterHost {
  readonly clock: Clock
  /** Bytes have begun to wait for the client. */
  waiting(): void
  /** So many bytes have been handed over. */
  sent(bytes: number): void
  /** So many bytes more, or less, are kept in this process for the client. */
  kept(bytes: number): void
  /** Everything has been taken, but for what is held back. */
  emptied(): void
}

/** How a stream ends. */
export interface Ending {
  /** The last block, if there is to be one. */
  readonly last: Uint8Array | undefined
  /** Whether what waits is thrown away. */
  readonly discards: boolean
  /** `end` properly, or `cut`, so that the client can tell that the end is missing. */
  readonly how: 'end' | 'cut'
  /** Whether it is the application that ends the stream, so that it may do so in the middle of a block of its own. */
  readonly isOwn: boolean
}

/**
 * All bytes to one client, in one queue. It alone knows what waits, what has been taken, and how the response ends. A
 * write that failed is the end of the stream, and never counts as sent.
 */
export class Writer {
  /** When something was last written, by the monotonic clock. */
  wroteAt = 0
  /** When the client last took something, by the monotonic clock; `undefined` where it may have since. */
  takenAt: number | undefined
  /** The last turn of the event loop in which events were delivered while next to nothing waited. */
  keptUpIn: Turn | undefined

  readonly #stream: WritingStream
  readonly #host: WriterHost
  readonly #queue = new OrderedQueue()
  #sink: Sink | undefined
  // Whether there is no sink yet, or its first bytes are still given a turn of the event loop of their own.
  #isHeld = true
  // Whether bytes have been handed on that are called back for.
  #isBusy = false
  // Whether somebody waits for what waits to be taken.
  #isAwaited = false
  // Whether it has been told that bytes wait.
  #isWatched = false
  #ending: 'end' | 'cut' | undefined
  #hasEnded = false
  // Nothing is handed on any more.
  #isOver = false
  #taken: Taken | undefined
  #keptBytes = 0

  constructor(stream: WritingStream, host: WriterHost) {
    this.#stream = stream
    this.#host = host
  }

  /** Bytes that are kept in this process for the client. */
  get bufferedBytes(): number {
    return this.#queue.bytes + (this.#sink?.pendingBytes ?? 0)
  }

  /** Bytes of these that the client could take now. */
  get waitingBytes(): number {
    return this.#isHeld ? 0 : this.#queue.readyBytes + (this.#sink?.pendingBytes ?? 0)
  }

  /** A number that changes whenever the client has taken something. */
  get progress(): number {
    return this.#sink?.progress ?? 0
  }

  /** Whether more may be written without waiting. */
  get hasRoom(): boolean {
    return this.bufferedBytes <= HIGH_WATER_MARK
  }

  /** Whether more bytes may be written as they are. What waits behind a block does not keep its bytes waiting. */
  get hasRoomForBytes(): boolean {
    return this.bufferedBytes - (this.#queue.isInBlock ? this.#queue.heldBackBytes : 0) <= HIGH_WATER_MARK
  }

  /** Whether nothing waits, for the client or for the end of a block, or nothing can be handed on yet. */
  get isIdle(): boolean {
    return this.#isHeld || (!this.#isBusy && this.#queue.isEmpty && this.waitingBytes === 0)
  }

  /** Whether nothing that is written now will be sent. */
  get isBroken(): boolean {
    return this.#isOver || this.#sink?.isOpen === false
  }

  /** Whether the sink has been ended, behind everything that was written. */
  get isEnded(): boolean {
    return this.#hasEnded
  }

  /** Gets a sink, and writes the first bytes. Everything else follows a turn of the event loop later. */
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

  /** Writes bytes of whole blocks or lines, for this client alone or, as a chunk, for others, too. */
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

  /** Writes bytes as they are; they may end in the middle of a block. */
  writeRaw(bytes: Uint8Array): void {
    if (this.#isOver) return
    this.#queue.addRaw(bytes)
    this.#pump()
  }

  /** Writes what was read from history, ahead of all that is held back behind it. */
  writeHistory(items: Iterable<Item>): void {
    if (this.#isOver) return
    for (const item of items) this.#queue.addHistory(item)
    this.#pump()
  }

  /** Holds back what is written from now on, but for history. */
  holdBehindHistory(): void {
    this.#queue.holdBehindHistory()
  }

  releaseBehindHistory(): void {
    // Whoever waits for room was told that there is none.
    if (this.#queue.releaseBehindHistory()) this.#isAwaited = true
    this.#pump()
  }

  /**
   * Writes shared events in this turn. Answers `false`, and writes nothing, if they exceed the limit; a client that has
   * taken everything before them may be given events of any length.
   *
   * @param isAhead whether this stream alone is sent them already, ahead of the end of the turn
   */
  deliver(shared: SharedFrames, limit: number, turn: Turn, isAhead = false): boolean {
    const buffered = this.bufferedBytes
    // Over TLS and HTTP/2 what was just written still waits for a moment.
    if (buffered <= Math.min(PIECE_BYTES, limit / 4)) this.keptUpIn = turn
    if (buffered + shared.length <= (limit < PIECE_BYTES ? limit : PIECE_BYTES) && this.#canSend) {
      this.#send(shared.chunk, turn.now, isAhead ? undefined : shared)
      return true
    }
    if (buffered > 0 && buffered + shared.length > limit) return false
    this.writeHistory(shared.frames())
    return true
  }

  /** Writes a sign of life at this time, unless something waits for the client already. */
  beat(chunk: Chunk, now: number): void {
    this.wroteAt = now
    // What is held back may have to wait for long; proxies would cut the connection.
    if (this.#isReady && this.waitingBytes === 0 && !this.#queue.isInBlock) this.#send(chunk, now, 'heartbeat')
  }

  /** Takes back the events that are not to be kept, of those of which nothing has been handed on. */
  retain(isKept: (frame: Frame) => boolean): void {
    this.#queue.retain(isKept)
    this.#tellKept()
  }

  /** Has `emptied` and `room` called when they are true the next time. */
  callBack(): void {
    this.#isAwaited = true
    this.#pump()
  }

  /** Bytes that wait are told of again, as those that begin to wait are. */
  unwatch(): void {
    this.#isWatched = false
  }

  /** Ends the sink behind what waits. Nothing of ours follows a block that has begun and is not finished. */
  finish({ last, discards, how, isOwn }: Ending): void {
    if (this.#isOver) return
    const isWhole = this.#queue.close(discards)
    if (isWhole && last !== undefined) this.#queue.add(last)
    this.#ending = isWhole || isOwn ? how : 'cut'
    this.#pump()
  }

  /** Breaks off at once. */
  destroy(): void {
    this.#stop()
    this.#sink?.destroy()
  }

  /** Calls back when nothing is left of the sink. */
  onceClosed(listener: () => void): void {
    if (this.#sink === undefined || this.#sink.isClosed) listener()
    else this.#sink.onceClosed(listener)
  }

  // Whether bytes may go to the sink past the queue.
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

  // Hands on a piece, and the next one when that has been taken.
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

  // Nobody needs to hear of the last piece, unless somebody waits for that.
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

  // Made only for clients that something waits for.
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
