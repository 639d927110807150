import type { Chunk } from '../wire/chunk.ts'
import type { StreamConnection } from './stream-host.ts'
import type { Sink, Taken } from './sink.ts'

/** The part of a stream's readable side that the sink uses. */
export interface ReadableSide {
  readonly readableLength: number
  readonly readableHighWaterMark: number
  readonly destroyed: boolean
  push(bytes: Uint8Array | null): boolean
}

/** A reader of the stream other than a response: a compressor, or the application itself. */
export class PipedSink implements Sink {
  readonly #side: ReadableSide
  readonly #connection: () => StreamConnection
  #pushed = 0
  #hasEnded = false
  #isCut = false
  #taken: Taken | undefined

  /**
   * @param connection the response that the reader writes to: cutting the stream cuts that, since the reader only waits
   *   for an end
   */
  constructor(side: ReadableSide, connection: () => StreamConnection) {
    this.#side = side
    this.#connection = connection
  }

  get pendingBytes(): number {
    // Bytes that the reader has taken no longer count; after the end, those pending in the response do.
    return this.#side.readableLength + (this.#hasEnded ? this.#connection().pendingBytes : 0)
  }

  get progress(): number {
    return this.#pushed - this.#side.readableLength + (this.#hasEnded ? this.#connection().progress : 0)
  }

  get isOpen(): boolean {
    return !this.#hasEnded && !this.#side.destroyed
  }

  get isClosed(): boolean {
    return this.#connection().isGone
  }

  open(bytes: Uint8Array): void {
    this.#pushed += bytes.length
    this.#side.push(bytes)
  }

  send(chunk: Chunk): void {
    this.open(chunk.bytes)
  }

  write(bytes: Uint8Array, taken: Taken): void {
    this.open(bytes)
    this.#taken = taken
    if (this.#side.readableLength < this.#side.readableHighWaterMark) this.wanted()
  }

  /** The reader asks for more. Node calls `_read` right before it hands out what there is. */
  wanted(): void {
    const taken = this.#taken
    if (taken === undefined) return
    this.#taken = undefined
    queueMicrotask(() => {
      taken()
    })
  }

  end(): void {
    this.#hasEnded = true
    this.#side.push(null)
  }

  cut(): void {
    if (this.#isCut) return
    this.#isCut = true
    this.#hasEnded = true
    this.#connection().cut()
  }

  destroy(): void {
    if (!this.isClosed) this.cut()
  }

  onceClosed(listener: () => void): void {
    this.#connection().onceGone(listener)
  }
}
