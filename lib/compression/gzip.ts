import { Buffer } from 'node:buffer'

/**
 * The parts of a gzip member (RFC 1952, RFC 1951). Each part ends at a byte boundary: a client can decode everything it
 * has received, and a part compressed once can follow whatever a client has received before.
 */

// Deflate, no flags, no modification time, unknown operating system.
export const HEADER: Uint8Array = Buffer.from([0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0, 0, 0xff])

/** An empty stored block: bytes on the wire that decode to nothing. */
export const EMPTY_BLOCK: Uint8Array = Buffer.from([0x00, 0x00, 0x00, 0xff, 0xff])

/** The last block, which is empty. */
const LAST_BLOCK = Buffer.from([0x01, 0x00, 0x00, 0xff, 0xff])

const MAX_STORED = 65_535
const STORED_HEAD = 5

/** Stores bytes uncompressed: the blocks refer to nothing, and their length reveals nothing but that of the bytes. */
export function stored(bytes: Uint8Array): Uint8Array {
  const blocks = Math.ceil(bytes.length / MAX_STORED)
  const all = Buffer.allocUnsafe(bytes.length + blocks * STORED_HEAD)
  let end = 0
  for (let start = 0; start < bytes.length; start += MAX_STORED) {
    const part = bytes.subarray(start, start + MAX_STORED)
    all[end] = 0
    all.writeUInt16LE(part.length, end + 1)
    all.writeUInt16LE(MAX_STORED - part.length, end + 3)
    all.set(part, end + STORED_HEAD)
    end += STORED_HEAD + part.length
  }
  return all
}

/** The end of a member: its last block, and the CRC-32 and length of the uncompressed bytes. */
export function trailer(crc: number, length: number): Uint8Array {
  const end = Buffer.alloc(8)
  end.writeInt32LE(crc, 0)
  end.writeUInt32LE(length % 2 ** 32, 4)
  return Buffer.concat([LAST_BLOCK, end])
}
