import type { ServerResponse } from 'node:http'
import { Http2ServerResponse } from 'node:http2'
import type { Writable } from 'node:stream'
import type { Chunk } from '../wire/chunk.ts'

/** Where the bytes of a stream leave the process: the response that it is the body of. */
export class Outlet {
  readonly #response: ServerResponse & Writable
  // The same response, where it is one over HTTP/2: many streams share the socket then.
  readonly #http2: Http2ServerResponse | undefined
  #written = 0

  constructor(response: ServerResponse & Writable) {
    const actual: Writable = response
    this.#response = response
    this.#http2 = actual instanceof Http2ServerResponse ? actual : undefined
  }

  /** Bytes that wait in this process for the client to read. */
  get bufferedBytes(): number {
    return this.#response.writableLength
  }

  /**
   * Bytes of writes that are done, on a scale of the connection's own: where it stands still while bytes are buffered, the
   * client is stuck.
   */
  get deliveredBytes(): number {
    const socket = this.#http2 === undefined ? this.#response.socket : null
    return socket === null ? this.#written - this.bufferedBytes : socket.bytesWritten - socket.writableLength
  }

  /** Whether the response is over, and no `close` will tell of it any more. */
  get hasClosed(): boolean {
    return hasClosed(this.#response)
  }

  /** Whether the response takes no more. An HTTP/2 stream that its client cancels ends some time before its `close`. */
  get hasEnded(): boolean {
    return this.#response.writableEnded || (this.#http2?.stream.writableEnded ?? false)
  }

  /** Hands a chunk on. Nobody is told when it has been sent. */
  send(chunk: Chunk): void {
    const { chunkedEncoding, writableCorked } = this.#response
    const socket = chunkedEncoding && writableCorked === 0 ? this.#response.socket : null
    // Node's response would frame each chunk for each client anew, in four writes to the socket.
    if (socket?.writable) socket.write(chunk.framed)
    else {
      this.#written += chunk.bytes.length
      this.#response.write(chunk.bytes)
    }
  }

  /** Hands bytes on, and calls back when the kernel has them. A failed write is told by the response's end. */
  write(bytes: Uint8Array, sent: () => void): void {
    this.#written += bytes.length
    this.#response.write(bytes, sent)
  }

  onceClosed(listener: () => void): void {
    this.#response.once('close', listener)
  }

  end(): void {
    this.#response.end()
  }

  destroy(): void {
    this.#response.destroy()
  }
}

/** Whether a response is over, and no `close` will tell of it any more. */
export function hasClosed(response: Writable): boolean {
  // Over HTTP/2 Koa's response is another class, which knows nothing of `closed`.
  return response instanceof Http2ServerResponse ? response.stream.destroyed : response.closed
}
