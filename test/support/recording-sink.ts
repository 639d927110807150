import type { Taken } from '../../lib/stream/sink.ts'
import type { Chunk } from '../../lib/wire/chunk.ts'
import { SimulatedSink } from './simulated-sink.ts'

/** A simulated connection that keeps all that was handed over to it. */
export class RecordingSink extends SimulatedSink {
  /** Whether its client takes everything at once. */
  isReading = false
  /** What was handed over, one piece after another. */
  readonly pieces: string[] = []

  /** All that was handed over. */
  get text(): string {
    return this.pieces.join('')
  }

  override open(bytes: Uint8Array): void {
    super.open(bytes)
    this.#record(bytes)
  }

  override send(chunk: Chunk): void {
    super.send(chunk)
    this.#record(chunk.bytes)
  }

  override write(bytes: Uint8Array, taken: Taken): void {
    super.write(bytes, taken)
    this.#record(bytes)
  }

  /** The client takes so many bytes, or all that there are, also of those that are handed over meanwhile. */
  take(bytes = Infinity): void {
    let room = bytes
    do for (const piece of this.read(room)) room -= piece.length
    while (room > 0 && this.isReadable)
  }

  #record(bytes: Uint8Array): void {
    this.pieces.push(Buffer.from(bytes).toString('latin1'))
    // As with a socket, whoever writes hears of it later.
    if (this.isReading) queueMicrotask(() => this.take())
  }
}
