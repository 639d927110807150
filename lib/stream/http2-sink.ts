import { constants, type Http2ServerResponse } from 'node:http2'
import type { Clock } from '../clock.ts'
import type { Chunk } from '../wire/chunk.ts'
import type { Sink, Taken } from './sink.ts'

/** A response over HTTP/2, one of several on its connection. */
export class Http2Sink implements Sink {
  readonly #response: Http2ServerResponse
  readonly #clock: Clock
  #written = 0

  constructor(response: Http2ServerResponse, clock: Clock) {
    this.#response = response
    this.#clock = clock
  }

  get pendingBytes(): number {
    return this.#response.writableLength
  }

  // The socket's count covers all streams of the connection, so count per stream.
  get progress(): number {
    return this.#written - this.pendingBytes
  }

  // A stream that its client cancels ends some time before it closes.
  get isOpen(): boolean {
    const { stream, writableEnded } = this.#response
    return !writableEnded && !stream.destroyed && !stream.writableEnded
  }

  get isClosed(): boolean {
    return this.#response.stream.destroyed
  }

  open(bytes: Uint8Array): void {
    this.#written += bytes.length
    this.#response.write(bytes)
  }

  send(chunk: Chunk): void {
    this.open(chunk.bytes)
  }

  write(bytes: Uint8Array, taken: Taken): void {
    this.#written += bytes.length
    this.#response.write(bytes, taken)
  }

  end(): void {
    this.#response.end()
  }

  // A reset drops queued data, so wait until there is none.
  cut(): void {
    const { stream } = this.#response
    const reset = (): void => {
      stream.close(constants.NGHTTP2_INTERNAL_ERROR)
    }
    if (stream.writableLength === 0) reset()
    else stream.write('', reset)
  }

  // Destroying the stream in the same turn sends no reset, and the client would wait for ever; with data queued, Node
  // 26 fails an assertion, which ends the process.
  destroy(): void {
    const { stream } = this.#response
    stream.close(constants.NGHTTP2_INTERNAL_ERROR)
    this.#clock.turn(() => stream.destroy())
  }

  onceClosed(listener: () => void): void {
    this.#response.once('close', listener)
  }
}
