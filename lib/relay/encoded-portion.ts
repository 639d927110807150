import type { Buffer } from 'node:buffer'
import { Chunk } from '../wire/chunk.ts'
import type { NumberedEvent, Portion } from './run-log.ts'

/** Bytes of events that are written at once, at the most; one event may be larger. */
const PIECE_BYTES = 16_384

/** Events in a row, as bytes that any number of readers share. */
export interface Piece {
  readonly chunk: Chunk
  /** How many events, and the number of the last of them. */
  readonly count: number
  readonly last: number
}

/** What a reader is to get next, as pieces, which are encoded when they are asked for. */
export class EncodedPortion implements Iterable<Piece> {
  /** Whether events before these are missing, and no event stands for them. */
  readonly isTorn: boolean
  readonly #events: readonly NumberedEvent[]
  readonly #last: number
  readonly #encode: (event: NumberedEvent) => Buffer
  #first: Piece | undefined

  /**
   * @param last the number of the last event that the source has said: the end, which not all readers are shown, is a piece
   *   of its own
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

  // Readers that keep up share the first piece. More are for those who are behind, and would take memory for each of their
  // places.
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
