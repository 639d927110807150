import { EventStream, type EventMap } from 'koa-event-stream'
import { systemClock } from '../../lib/clock.ts'
import type { StreamHost } from '../../lib/stream/stream-host.ts'
import type { Sink, Taken } from '../../lib/stream/sink.ts'
import type { Chunk } from '../../lib/wire/chunk.ts'

/** A sink whose client takes bytes only when the test says so. */
export class SimulatedSink implements Sink {
  /** All that was handed over, in its order. */
  text = ''
  pendingBytes = 0
  progress = 0
  isOpen = true
  isClosed = false
  how: 'end' | 'cut' | 'destroy' | undefined
  /** How often bytes were handed over. */
  writes = 0
  /** Whether the kernel takes at once what nobody is called back for. */
  isFast = false
  #taken: Taken[] = []

  open(bytes: Uint8Array): void {
    this.writes += 1
    this.text += Buffer.from(bytes).toString()
    this.pendingBytes += bytes.length
  }

  send(chunk: Chunk): void {
    this.open(chunk.bytes)
    if (this.isFast) this.pendingBytes -= chunk.bytes.length
  }

  write(bytes: Uint8Array, taken: Taken): void {
    this.open(bytes)
    this.#taken.push(taken)
  }

  end(): void {
    this.#over('end')
  }

  cut(): void {
    this.#over('cut')
  }

  destroy(): void {
    this.#over('destroy')
  }

  onceClosed(listener: () => void): void {
    listener()
  }

  /** The client takes everything that was handed over. */
  take(): void {
    this.progress += this.pendingBytes
    this.pendingBytes = 0
    const all = this.#taken
    this.#taken = []
    for (const taken of all) taken()
  }

  #over(how: 'end' | 'cut' | 'destroy'): void {
    this.how ??= how
    this.isOpen = false
    this.isClosed = true
  }
}

/** A stream over a simulated sink, in a hub that only notes what it is told. */
export function simulated(options: Partial<StreamHost> = {}) {
  const told = { kept: 0, emptied: 0, closed: 0 }
  const host: StreamHost = {
    clock: systemClock,
    isOpening: false,
    hasTopics: true,
    bufferBytes: 1_000_000,
    maxEventBytes: 100_000,
    redact: undefined,
    encode: sink => sink,
    firstBytes: () => Buffer.from('retry: 1\n'),
    lastBlock: () => Buffer.from('event: goaway\n\n'),
    mustCut: reason => reason === 'error',
    flush: () => undefined,
    subscribe: async () => undefined,
    unsubscribe: () => undefined,
    waiting: () => undefined,
    sent: () => undefined,
    kept: bytes => void (told.kept += bytes),
    emptied: () => void (told.emptied += 1),
    closing: () => undefined,
    closed: () => void (told.closed += 1),
    ...options,
  }
  const stream = new EventStream<EventMap, undefined>({ identity: undefined, lastEventId: undefined }, host)
  const sink = new SimulatedSink()
  const { writer } = stream
  stream.isPiped = true
  /** Gives the stream its sink, and lets the first bytes go out. */
  const attach = async () => {
    writer.attach(sink, host.firstBytes())
    await new Promise(setImmediate)
    sink.take()
    sink.text = ''
  }
  return { stream, writer, sink, told, attach }
}
