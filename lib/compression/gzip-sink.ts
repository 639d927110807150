import { Buffer } from 'node:buffer'
import type { Meaning, Sink, Taken } from '../stream/sink.ts'
import { Chunk } from '../wire/chunk.ts'
import { EMPTY_BLOCK, HEADER, stored, trailer } from './gzip.ts'
import type { Place } from './place.ts'

const COLON = 0x3a
const EMPTY = Chunk.of(EMPTY_BLOCK)

/**
 * Wraps another sink and sends it the bytes as gzip. Events for many streams are compressed once for all of them,
 * against the events they were sent before. Bytes for this stream alone are stored uncompressed, so that they never
 * share a window with anybody else's.
 */
export class GzipSink implements Sink {
  readonly #sink: Sink
  readonly #place: Place

  constructor(sink: Sink, place: Place) {
    this.#sink = sink
    this.#place = place
  }

  get pendingBytes(): number {
    return this.#sink.pendingBytes
  }

  get progress(): number {
    return this.#sink.progress
  }

  get isOpen(): boolean {
    return this.#sink.isOpen
  }

  get isClosed(): boolean {
    return this.#sink.isClosed
  }

  open(bytes: Uint8Array): void {
    this.#sink.open(Buffer.concat([HEADER, this.#store(bytes)]))
  }

  send(chunk: Chunk, meaning?: Meaning): void {
    // Pages do not see comments, and one in the bytes of this stream would take it out of its cohort.
    if (meaning === 'heartbeat' && chunk.bytes[0] === COLON) this.#sink.send(EMPTY)
    else if (meaning === undefined || meaning === 'heartbeat') this.#sink.send(Chunk.of(this.#store(chunk.bytes)))
    else this.#sink.send(this.#place.share(meaning) ?? Chunk.of(stored(chunk.bytes)))
  }

  write(bytes: Uint8Array, taken: Taken): void {
    this.#sink.write(this.#store(bytes), taken)
  }

  end(): void {
    this.#sink.send(Chunk.of(trailer(this.#place.crc, this.#place.length)))
    this.#place.leave()
    this.#sink.end()
  }

  cut(): void {
    this.#place.leave()
    this.#sink.cut()
  }

  destroy(): void {
    this.#place.leave()
    this.#sink.destroy()
  }

  onceClosed(listener: () => void): void {
    this.#sink.onceClosed(listener)
  }

  #store(bytes: Uint8Array): Uint8Array {
    if (bytes.length === 0) return bytes
    this.#place.passAlone(bytes)
    return stored(bytes)
  }
}
