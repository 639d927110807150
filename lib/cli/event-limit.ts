import { TransformStream } from 'node:stream/web'

/** Bytes of an event, decompressed: of a server that sends one without an end no more is read. */
export const MOST_BYTES = 64 * 1_024 * 1_024

const [LF, CR] = [10, 13]

/**
 * What a stream goes through: ends it at an event that has more bytes than are read, and reads no faster than is waited for.
 *
 * @param exceeded called at such an event
 * @param room awaited before each piece
 */
export function eventLimit(exceeded: () => void, room: () => Promise<void>): TransformStream<Uint8Array, Uint8Array> {
  const count = createCount()
  return new TransformStream({
    async transform(piece, controller) {
      await room()
      if (count(piece) <= MOST_BYTES) controller.enqueue(piece)
      else {
        exceeded()
        controller.terminate()
      }
    },
  })
}

/** Takes pieces of a stream; answers how many bytes of the event that has begun have come. */
function createCount(): (piece: Uint8Array) => number {
  let bytes = 0
  let isLineEmpty = true
  let isAfterCr = false
  return piece => {
    for (const byte of piece) {
      bytes += 1
      const isSecondHalf = byte === LF && isAfterCr
      isAfterCr = byte === CR
      if (isSecondHalf) continue
      const isLineEnd = byte === LF || byte === CR
      // An empty line ends an event.
      if (isLineEnd && isLineEmpty) bytes = 0
      isLineEmpty = isLineEnd
    }
    return bytes
  }
}
