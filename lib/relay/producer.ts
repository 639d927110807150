import { deadline } from '../deadline.ts'
import { encodeEntry, type Batch, type End } from './batch.ts'
import { Batcher } from './batcher.ts'
import type { RelayConfig } from './config.ts'
import { pause } from './pause.ts'
import type { RunStore } from './run-store.ts'
import { readSource, type Source } from './source.ts'
import type { View } from './view.ts'

// The state is saved after this many publishes, bytes or milliseconds: long before the events are trimmed from history.
const KEPT_PUBLISHES = 100
const KEPT_BYTES = 131_072
const KEPT_AGE = 30_000

// The pause before a failed publish is retried, in milliseconds.
const RETRY = 250

export interface ProducerParts extends Pick<RelayConfig, 'hub' | 'keep' | 'lease' | 'linger'> {
  readonly view: View
  readonly topic: string
  readonly store: RunStore
}

/**
 * Publishes the events of a source to the log in batches, and then the end. The run is over once an end is in the log,
 * even one by somebody else: cancelled by a reader, or considered dead. The source is stopped then, and nothing more is
 * published.
 */
export class Producer {
  readonly #parts: ProducerParts
  readonly #batcher: Batcher
  // Aborted to stop the source.
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

  /** Resolves once the run is over and its result saved. Never rejects. */
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

  /**
   * Ends the run, unless it has ended. Resolves once the end is in the log, or could not be published within `lease`.
   */
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
      // A source stopped by its signal has not failed.
      if (!signal.aborted) hub.failed('run', error)
      end = { kind: 'failed', reason: 'error' }
    }
    if (!signal.aborted) await this.end(end)
  }

  // The log may lose an acknowledged end, such as by a failover to a server without it.
  async #untilHeard(): Promise<void> {
    const { hub, view, lease } = this.#parts
    const waiting = new AbortController()
    const stop = (): void => {
      waiting.abort()
    }
    const cancel = deadline(hub.clock, lease, stop)
    this.#over.signal.addEventListener('abort', stop, { once: true })
    await view.untilEnded(waiting.signal)
    this.#over.signal.removeEventListener('abort', stop)
    cancel()
    stop()
  }

  // Waits until an end is in the log, whoever published it.
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
    // A retry may publish a batch twice, but with the same numbers.
    await this.#insist(() => hub.append([topic], encodeEntry(batch)))
    this.#unkeptPublishes += 1
    this.#unkeptBytes += bytes
  }

  // After failing for as long as the lease, the producer counts as dead to the others.
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
        } else await pause(hub.clock, RETRY)
      }
    }
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

  // Saves what was received from the log, not what was sent: so it is correct even if this producer was frozen.
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
