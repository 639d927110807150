import type { ServerResponse } from 'node:http'
import type { Chunk } from '../wire/chunk.ts'
import { flattenHead } from './response-head.ts'
import type { Sink, Taken } from './sink.ts'

/** A response over HTTP/1.1 or HTTP/1.0. */
export class Http1Sink implements Sink {
  readonly #response: ServerResponse

  constructor(response: ServerResponse) {
    this.#response = response
  }

  get pendingBytes(): number {
    return this.#response.writableLength
  }

  // Node counts a write only when all of it is done, so a large write shows no progress.
  get progress(): number {
    const { socket } = this.#response
    return socket === null ? 0 : socket.bytesWritten - socket.writableLength
  }

  get isOpen(): boolean {
    return !this.#response.writableEnded && !this.#response.destroyed
  }

  get isClosed(): boolean {
    return this.#response.closed
  }

  open(bytes: Uint8Array): void {
    this.#response.write(bytes)
    flattenHead(this.#response)
  }

  send(chunk: Chunk): void {
    const { chunkedEncoding, writableCorked } = this.#response
    const socket = chunkedEncoding && writableCorked === 0 ? this.#response.socket : null
    // Node's response would frame each chunk again for each client, in four writes to the socket.
    if (socket?.writable) socket.write(chunk.framed)
    else this.#response.write(chunk.bytes)
  }

  write(bytes: Uint8Array, taken: Taken): void {
    this.#response.write(bytes, taken)
  }

  end(): void {
    this.#response.end()
  }

  cut(): void {
    const { socket } = this.#response
    if (socket === null) this.#response.destroy()
    else socket.destroySoon()
  }

  destroy(): void {
    this.#response.destroy()
  }

  onceClosed(listener: () => void): void {
    this.#response.once('close', listener)
  }
}
