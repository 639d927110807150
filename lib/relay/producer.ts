import { encodeEntry, type Batch, type End } from './batch.ts'
import { Batcher } from './batcher.ts'
import type { RelayConfig } from './config.ts'
import type { RunStore } from './run-store.ts'
import { readSource, type Source } from './source.ts'
import type { View } from './view.ts'

// After so many publishes, or bytes, or milliseconds what has been said is kept: long before history forgets it.
const KEPT_PUBLISHES = 100
const KEPT_BYTES = 131_072
const KEPT_AGE = 30_000

// Milliseconds until a publish is tried again that has failed.
const RETRY = 250

export interface ProducerParts extends Pick<RelayConfig, 'hub' | 'keep' | 'lease' | 'linger'> {
  readonly view: View
  readonly topic: string
  readonly store: RunStore
}

/**
 * Brings the events of a source into the log, in batches, and their end. The run is over once its end is in the log, also
 * where that is somebody else's: cancelled by a reader, or taken for dead. Then the source is told, and nothing more is
 * published.
 */
export class Producer {
  readonly #parts: ProducerParts
  readonly #batcher: Batcher
  // Aborted when the source is to stop.
  readonly #source = new AbortController()
  readonly #over = new AbortController()
  #unkeptPublishes = 0
  #unkeptBytes = 0
  #isKeeping = false
  #cancelKeep: (() => void) | undefined

  constructor(parts: ProducerParts) {
    this.#parts = parts
    this.#batcher = new Batcher(parts.hub.clock, parts.linger, (batch, bytes) => this.#publish(batch, bytes))
  }

  /** Resolves once the run is over and its answer is kept. Never rejects. */
  async run(source: Source): Promise<void> {
    const { hub, keep, view } = this.#parts
    const cancelTimeout = hub.clock.after(keep, () => {
      void this.end({ kind: 'failed', reason: 'time' })
    })
    const ended = this.#untilEnded()
    void this.#pump(source)
    await ended
    cancelTimeout()
    this.#batcher.stop()
    this.#cancelKeep?.()
    await view.kept()
  }

  /** Ends the run, unless it has ended. Resolves once it has, or that could not be said within the lease. */
  async end(end: End): Promise<void> {
    if (this.#isOver()) return
    const { view } = this.#parts
    this.#stop(end)
    await this.#batcher.settled()
    while (view.log.end === undefined && !this.#isOver()) {
      await this.#insist(() => view.publishEnd(end, this.#batcher.last))
      await this.#untilHeard()
    }
  }

  #isOver(): boolean {
    return this.#over.signal.aborted
  }

  async #pump(source: Source): Promise<void> {
    const { hub } = this.#parts
    const { signal } = this.#source
    let end: End = { kind: 'done', reason: 'end' }
    try {
      for await (const event of readSource(source, hub, signal)) await this.#batcher.add(event)
    } catch (error) {
      // A source that is stopped by its signal has done as it was told.
      if (!signal.aborted) hub.failed('run', error)
      end = { kind: 'failed', reason: 'error' }
    }
    if (!signal.aborted) await this.end(end)
  }

  // A log may lose what it has taken, as where a server takes over that had not got it.
  async #untilHeard(): Promise<void> {
    const { hub, view, lease } = this.#parts
    const waiting = new AbortController()
    const stop = (): void => {
      waiting.abort()
    }
    const cancel = hub.clock.after(lease, stop)
    this.#over.signal.addEventListener('abort', stop, { once: true })
    await view.untilEnded(waiting.signal)
    this.#over.signal.removeEventListener('abort', stop)
    cancel()
    stop()
  }

  // Waits for the end in the log, whoever has put it there.
  async #untilEnded(): Promise<void> {
    const { view } = this.#parts
    const changes = view.changes(this.#over.signal)
    while (view.log.end === undefined && !this.#isOver()) {
      await changes.next()
      this.#keepSome()
    }
    this.#stop(view.log.end ?? { kind: 'interrupted', reason: 'lost' })
    this.#over.abort()
  }

  #stop(end: End): void {
    if (end.kind !== 'done') this.#source.abort(end)
  }

  async #publish(batch: Batch, bytes: number): Promise<void> {
    const { hub, topic } = this.#parts
    // What is in the log twice has the same numbers.
    await this.#insist(() => hub.append([topic], encodeEntry(batch)))
    this.#unkeptPublishes += 1
    this.#unkeptBytes += bytes
  }

  // Whoever cannot publish for as long as the lease is taken for dead by then.
  async #insist(publish: () => Promise<unknown>): Promise<void> {
    const { hub, lease } = this.#parts
    const until = hub.clock.monotonic() + lease
    while (!this.#isOver()) {
      try {
        await publish()
        return
      } catch (error) {
        if (hub.clock.monotonic() >= until) {
          hub.failed('relay', error)
          this.#over.abort()
        } else await this.#pause()
      }
    }
  }

  #pause(): Promise<void> {
    return new Promise(resolve => {
      this.#parts.hub.clock.after(RETRY, resolve)
    })
  }

  #keepSome(): void {
    if (this.#unkeptPublishes === 0) return
    if (this.#unkeptPublishes >= KEPT_PUBLISHES || this.#unkeptBytes >= KEPT_BYTES) this.#keep()
    else {
      this.#cancelKeep ??= this.#parts.hub.clock.after(KEPT_AGE, () => {
        this.#keep()
      })
    }
  }

  // What has been heard of the log, not what was sent: all that is kept is true, also of a producer that was frozen.
  #keep(): void {
    this.#cancelKeep?.()
    this.#cancelKeep = undefined
    const { hub, view, store } = this.#parts
    if (this.#isKeeping || view.log.end !== undefined) return
    this.#isKeeping = true
    this.#unkeptPublishes = 0
    this.#unkeptBytes = 0
    store
      .save(view.name, view.log.state())
      .catch((error: unknown) => {
        hub.failed('relay', error)
      })
      .finally(() => {
        this.#isKeeping = false
      })
  }
}
