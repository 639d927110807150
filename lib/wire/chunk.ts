import { Buffer } from 'node:buffer'

const CR = 0x0d
const LF = 0x0a
const LINE_END_BYTES = 2

/**
 * Bytes shared by any number of clients, with the framing of HTTP/1.1's chunked transfer coding (RFC 9112, section 7.1)
 * computed once for all of them.
 */
export class Chunk {
  /** The payload. */
  readonly bytes: Buffer
  /** The payload as a chunk of a chunked response. */
  readonly framed: Buffer

  private constructor(framed: Buffer, start: number, end: number) {
    this.framed = framed
    this.bytes = framed.subarray(start, end)
  }

  /** Allocates a chunk of `length` bytes to be filled in. An empty chunk would end a response. */
  static allocate(length: number): Chunk {
    const size = length.toString(16)
    const start = size.length + LINE_END_BYTES
    const framed = Buffer.allocUnsafe(start + length + LINE_END_BYTES)
    // For so few bytes a call of Node's `write()` costs several times as much.
    for (let i = 0; i < size.length; i += 1) framed[i] = size.charCodeAt(i)
    endLine(framed, size.length)
    endLine(framed, start + length)
    return new Chunk(framed, start, start + length)
  }

  static join(pieces: readonly Uint8Array[]): Chunk {
    const chunk = Chunk.allocate(pieces.reduce((sum, { length }) => sum + length, 0))
    let at = 0
    for (const piece of pieces) {
      chunk.bytes.set(piece, at)
      at += piece.length
    }
    return chunk
  }

  static of(bytes: Uint8Array): Chunk {
    const chunk = Chunk.allocate(bytes.length)
    chunk.bytes.set(bytes)
    return chunk
  }
}

function endLine(bytes: Buffer, at: number): void {
  bytes[at] = CR
  bytes[at + 1] = LF
}
