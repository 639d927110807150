import { Buffer } from 'node:buffer'

/**
 * A gzip member in parts (RFC 1952, RFC 1951). Each part ends at a byte, so that a client can read all that it has got, and
 * so that parts which were compressed once can be put behind whatever a client has got before.
 */

// Deflate, no flags, no time, no file system in particular.
export const HEADER: Uint8Array = Buffer.from([0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0, 0, 0xff])

/** A stored block of no bytes: the client has got something, and nothing has changed. */
export const EMPTY_BLOCK: Uint8Array = Buffer.from([0x00, 0x00, 0x00, 0xff, 0xff])

/** The last block, of no bytes. */
const LAST_BLOCK = Buffer.from([0x01, 0x00, 0x00, 0xff, 0xff])

const MAX_STORED = 65_535
const STORED_HEAD = 5

/** The same bytes uncompressed: blocks that refer to nothing, and whose length tells nothing but that of the bytes. */
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

/** The end of a member: its last block, and the CRC-32 and the length of all bytes that are in it. */
export function trailer(crc: number, length: number): Uint8Array {
  const end = Buffer.alloc(8)
  end.writeInt32LE(crc, 0)
  end.writeUInt32LE(length % 2 ** 32, 4)
  return Buffer.concat([LAST_BLOCK, end])
}
