import type { Chunk } from '../wire/chunk.ts'
import type { Sink, Taken } from './sink.ts'

/** The readable side of a stream, as far as it is a sink. */
export interface ReadableSide {
  readonly readableLength: number
  readonly readableHighWaterMark: number
  readonly destroyed: boolean
  push(bytes: Uint8Array | null): boolean
}

/** Whoever reads the stream instead of a response: a compressor, or the application itself. */
export class PipedSink implements Sink {
  /** There is nothing behind it that could be waited for. */
  readonly isClosed = true

  readonly #side: ReadableSide
  readonly #cutResponse: () => void
  #pushed = 0
  #hasEnded = false
  #taken: Taken | undefined

  /** @param cutResponse breaks off the response that the reader writes to, since the reader waits for an end */
  constructor(side: ReadableSide, cutResponse: () => void) {
    this.#side = side
    this.#cutResponse = cutResponse
  }

  get pendingBytes(): number {
    return this.#side.readableLength
  }

  get progress(): number {
    return this.#pushed - this.pendingBytes
  }

  get isOpen(): boolean {
    return !this.#hasEnded && !this.#side.destroyed
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

  /** The reader asks for more. Node calls for it right before it takes out what there is. */
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
    this.#hasEnded = true
    this.#cutResponse()
  }

  destroy(): void {
    if (!this.#hasEnded) this.cut()
  }

  onceClosed(listener: () => void): void {
    queueMicrotask(listener)
  }
}
