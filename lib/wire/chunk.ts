import { Buffer } from 'node:buffer'

const LINE_END = '\r\n'

/**
 * Bytes that go to any number of clients in one piece, with the framing of HTTP/1.1's chunked coding (RFC 9112, section
 * 7.1) made once for all of them.
 */
export class Chunk {
  /** What the client is to read. */
  readonly bytes: Buffer
  /** The same as a chunk of a response in chunked coding. */
  readonly framed: Buffer

  private constructor(framed: Buffer, start: number, end: number) {
    this.framed = framed
    this.bytes = framed.subarray(start, end)
  }

  /** An empty chunk of so many bytes, and the place to put them. A chunk of none would be the end of a response. */
  static allocate(length: number): Chunk {
    const head = length.toString(16) + LINE_END
    const framed = Buffer.allocUnsafe(head.length + length + LINE_END.length)
    framed.write(head, 0, 'latin1')
    framed.write(LINE_END, head.length + length, 'latin1')
    return new Chunk(framed, head.length, head.length + length)
  }

  static of(bytes: Uint8Array): Chunk {
    const chunk = Chunk.allocate(bytes.length)
    chunk.bytes.set(bytes)
    return chunk
  }
}
