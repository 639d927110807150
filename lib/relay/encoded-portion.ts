import type { Buffer } from 'node:buffer'
import { Chunk } from '../wire/chunk.ts'
import type { NumberedEvent, Portion } from './run-log.ts'

/** The most bytes of events in one piece; a single event may be larger. */
const PIECE_BYTES = 16_384

/** Consecutive events, encoded once for all readers. */
export interface Piece {
  readonly chunk: Chunk
  /** The number of events, and the sequence number of the last. */
  readonly count: number
  readonly last: number
}

/** The next events for a reader in pieces, which are encoded on demand. */
export class EncodedPortion implements Iterable<Piece> {
  /** Whether earlier events are missing, and no compacted event replaces them. */
  readonly isTorn: boolean
  readonly #events: readonly NumberedEvent[]
  readonly #last: number
  readonly #encode: (event: NumberedEvent) => Buffer
  #first: Piece | undefined

  /**
   * @param last the number of the source's last event: the end is a piece of its own, since not all readers are sent it
   */
  constructor({ isTorn, events }: Portion, last: number, encode: (event: NumberedEvent) => Buffer) {
    this.isTorn = isTorn
    this.#events = events
    this.#last = last
    this.#encode = encode
  }

  get isEmpty(): boolean {
    return this.#events.length === 0
  }

  // The first piece is cached, since readers that keep up share it. Later ones are for slow readers, and caching them
  // would take memory for each reader's position.
  *[Symbol.iterator](): Generator<Piece> {
    let begin = 0
    for (let piece = (this.#first ??= this.#pieceAt(0)); piece !== undefined; piece = this.#pieceAt(begin)) {
      yield piece
      begin += piece.count
    }
  }

  #pieceAt(begin: number): Piece | undefined {
    const frames: Buffer[] = []
    let bytes = 0
    let last = 0
    for (let event = this.#events[begin]; event !== undefined; event = this.#events[begin + frames.length]) {
      const isEnd = event.number > this.#last
      if (isEnd && frames.length > 0) break
      const frame = this.#encode(event)
      bytes += frame.length
      if (bytes > PIECE_BYTES && frames.length > 0) break
      frames.push(frame)
      last = event.number
    }
    return frames.length === 0 ? undefined : { chunk: Chunk.join(frames), count: frames.length, last }
  }
}
