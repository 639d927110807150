import { constants, type Http2ServerResponse } from 'node:http2'
import type { Clock } from '../clock.ts'
import type { Chunk } from '../wire/chunk.ts'
import type { Sink, Taken } from './sink.ts'

/** A response over HTTP/2, one of many on its connection. */
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

  // The socket's own count is of no use: it is that of all streams of the connection.
  get progress(): number {
    return this.#written - this.pendingBytes
  }

  // A stream that its client cancels ends some time before it is closed.
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

  // A reset stream drops what waits, so it has to wait until nothing does.
  cut(): void {
    const { stream } = this.#response
    const reset = (): void => {
      stream.close(constants.NGHTTP2_INTERNAL_ERROR)
    }
    if (stream.writableLength === 0) reset()
    else stream.write('', reset)
  }

  // A stream that is destroyed in the same turn sends no reset, so that its client waits for ever; and where data waits,
  // Node 26 fails an assertion, and the process ends.
  destroy(): void {
    const { stream } = this.#response
    stream.close(constants.NGHTTP2_INTERNAL_ERROR)
    this.#clock.turn(() => stream.destroy())
  }

  onceClosed(listener: () => void): void {
    this.#response.once('close', listener)
  }
}
