import type { Sink, Taken } from '../../lib/stream/sink.ts'
import type { Chunk } from '../../lib/wire/chunk.ts'

interface Write {
  /** Where it ends, in bytes since the beginning. */
  readonly end: number
  readonly taken: Taken
}

export interface SimulatedSinkOptions {
  /** Bytes that the kernel keeps for a client that does not read. Default 0: nothing is taken unless the client reads. */
  readonly kernel?: number
  /** Tells whoever writes that the kernel has taken something at once: never inside the call that wrote. */
  readonly later?: (task: () => void) => void
  /** Called when there is something to read, or the connection has ended. */
  readonly news?: () => void
}

/** A connection without a network: bytes that are handed over wait until the client reads them. */
export class SimulatedSink implements Sink {
  isOpen = true
  isClosed = false
  /** How it ended: by its owner's `end`, `cut` or `destroy`. */
  ending: 'end' | 'cut' | 'destroy' | undefined
  /** Bytes that were handed over since the beginning. */
  handed = 0
  /** Those of them that the kernel has taken. */
  progress = 0
  readonly #kernel: number
  readonly #later: (task: () => void) => void
  readonly #news: () => void
  // What was handed over and has not been read.
  #pieces: Uint8Array[] = []
  #read = 0
  #writes: Write[] = []
  #closed: (() => void)[] = []

  constructor({ kernel = 0, later = queueMicrotask, news = () => {} }: SimulatedSinkOptions = {}) {
    this.#kernel = kernel
    this.#later = later
    this.#news = news
  }

  get pendingBytes(): number {
    return this.isClosed ? 0 : this.handed - this.progress
  }

  /** Whether there is something that the client could read. */
  get isReadable(): boolean {
    return this.#pieces.length > 0
  }

  open(bytes: Uint8Array): void {
    this.#hand(bytes)
  }

  send(chunk: Chunk): void {
    this.#hand(chunk.bytes)
  }

  write(bytes: Uint8Array, taken: Taken): void {
    this.#hand(bytes)
    this.#writes.push({ end: this.handed, taken })
    if (this.pendingBytes === 0) {
      this.#later(() => {
        this.#callBack()
      })
    }
  }

  /** The client reads so many bytes, or all that there are. */
  read(most = Infinity): Uint8Array[] {
    const pieces: Uint8Array[] = []
    let room = most
    for (let [piece] = this.#pieces; piece !== undefined && room > 0; [piece] = this.#pieces) {
      const part = piece.length <= room ? piece : piece.subarray(0, room)
      if (part === piece) this.#pieces.shift()
      else this.#pieces[0] = piece.subarray(room)
      room -= part.length
      this.#read += part.length
      pieces.push(part)
    }
    this.#accept()
    this.#callBack()
    return pieces
  }

  /** The connection breaks: what the kernel has not taken it never will. */
  fail(error: Error): void {
    this.isOpen = false
    this.#pieces = []
    for (const { taken } of this.#writes.splice(0)) taken(error)
  }

  end(): void {
    this.#end('end')
  }

  cut(): void {
    this.#end('cut')
  }

  destroy(): void {
    this.#pieces = []
    this.#writes = []
    this.#end('destroy')
    this.close()
  }

  /** Nothing is left of it. */
  close(): void {
    if (this.isClosed) return
    this.isOpen = false
    this.isClosed = true
    for (const listener of this.#closed.splice(0)) listener()
  }

  onceClosed(listener: () => void): void {
    this.#closed.push(listener)
  }

  #hand(bytes: Uint8Array): void {
    if (!this.isOpen) throw new Error(`written behind the end: ${Buffer.from(bytes).toString()}`)
    this.#pieces.push(bytes)
    this.handed += bytes.length
    this.#accept()
    this.#news()
  }

  #accept(): void {
    this.progress = Math.max(this.progress, Math.min(this.handed, this.#read + this.#kernel))
  }

  #callBack(): void {
    while (this.#writes[0] !== undefined && this.#writes[0].end <= this.progress) this.#writes.shift()?.taken()
  }

  #end(how: 'end' | 'cut' | 'destroy'): void {
    this.ending ??= how
    this.isOpen = false
    this.#news()
  }
}
