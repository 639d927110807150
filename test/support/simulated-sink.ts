import type { Sink, Taken } from '../../lib/stream/sink.ts'
import type { Chunk } from '../../lib/wire/chunk.ts'

interface Write {
  left: number
  readonly taken: Taken | undefined
}

/**
 * A connection without a network. Bytes that are handed over wait until the test lets its client take them, as in the
 * kernel's buffers of a client that does not read; one that `isReading` takes everything at once.
 */
export class SimulatedSink implements Sink {
  isOpen = true
  isClosed = false
  isReading = false
  progress = 0
  /** What was handed over, one piece after another. */
  readonly pieces: string[] = []
  /** How it ended. */
  ending: 'end' | 'cut' | 'destroy' | undefined
  readonly #writes: Write[] = []
  #closed: (() => void)[] = []

  get pendingBytes(): number {
    return this.#writes.reduce((sum, { left }) => sum + left, 0)
  }

  /** All that was handed over. */
  get text(): string {
    return this.pieces.join('')
  }

  open(bytes: Uint8Array): void {
    this.#hand(bytes, undefined)
  }

  send(chunk: Chunk): void {
    this.#hand(chunk.bytes, undefined)
  }

  write(bytes: Uint8Array, taken: Taken): void {
    this.#hand(bytes, taken)
  }

  /** The client takes so many bytes, or all that there are, also of those that are handed over meanwhile. */
  take(bytes = Infinity): void {
    let room = bytes
    while (this.#writes[0] !== undefined) {
      const [write] = this.#writes
      const some = Math.min(room, write.left)
      write.left -= some
      room -= some
      this.progress += some
      if (write.left > 0) return
      this.#writes.shift()
      write.taken?.()
    }
  }

  /** The connection breaks: what waits is never taken. */
  fail(error: Error): void {
    this.isOpen = false
    for (const { taken } of this.#writes.splice(0)) taken?.(error)
  }

  end(): void {
    this.#end('end')
  }

  cut(): void {
    this.#end('cut')
  }

  destroy(): void {
    this.#writes.length = 0
    this.#end('destroy')
    this.close()
  }

  /** Nothing is left of it. */
  close(): void {
    this.isClosed = true
    for (const listener of this.#closed.splice(0)) listener()
  }

  onceClosed(listener: () => void): void {
    this.#closed.push(listener)
  }

  #hand(bytes: Uint8Array, taken: Taken | undefined): void {
    if (!this.isOpen) throw new Error(`Written behind the end: ${Buffer.from(bytes).toString()}`)
    this.pieces.push(Buffer.from(bytes).toString('latin1'))
    this.#writes.push({ left: bytes.length, taken })
    // As with a socket, whoever writes hears of it later.
    if (this.isReading) queueMicrotask(() => this.take())
  }

  #end(how: 'end' | 'cut' | 'destroy'): void {
    this.ending ??= how
    this.isOpen = false
  }
}
