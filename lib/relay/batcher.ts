import type { Clock } from '../clock.ts'
import type { BareEvent, Batch } from './batch.ts'
import type { SourceEvent } from './source.ts'
import { turn } from './turn.ts'

/** The most bytes of events in one batch, and of events waiting for the next; a single event may be larger. */
const BATCH_BYTES = 16_384

/**
 * Publishes events that arrive within `linger` as one batch. Only one publish is in flight at a time, to keep the
 * order.
 */
export class Batcher {
  readonly #clock: Clock
  readonly #linger: number
  readonly #publish: (batch: Batch, bytes: number) => Promise<void>
  #number = 0
  #pending: BareEvent[] = []
  #bytes = 0
  #cancel: (() => void) | undefined
  #publishing: Promise<void> = Promise.resolve()

  /** @param publish must not reject */
  constructor(clock: Clock, linger: number, publish: (batch: Batch, bytes: number) => Promise<void>) {
    this.#clock = clock
    this.#linger = linger
    this.#publish = publish
  }

  /** The number of the last event that was added. */
  get last(): number {
    return this.#number
  }

  /** Adds an event. Resolves once there is room for more. */
  async add({ event, bytes }: SourceEvent): Promise<void> {
    // Without waiting, a source of large events could run ahead of the log without limit.
    if (this.#bytes + bytes > BATCH_BYTES) await this.settled()
    this.#pending.push(event)
    this.#bytes += bytes
    if (this.#bytes >= BATCH_BYTES) await this.settled()
    else this.#schedule()
  }

  /** Publishes all pending events. Resolves once that is done. */
  settled(): Promise<void> {
    this.#flush()
    return this.#publishing
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  #schedule(): void {
    const flush = (): void => {
      // While one batch is in flight the next one grows.
      this.#cancel = undefined
      void this.#publishing.then(() => {
        this.#flush()
      })
    }
    this.#cancel ??= this.#linger === 0 ? this.#clock.turn(flush) : this.#clock.after(this.#linger, flush)
  }

  #flush(): void {
    this.stop()
    if (this.#pending.length === 0) return
    const batch: Batch = { first: this.#number + 1, events: this.#pending }
    const bytes = this.#bytes
    this.#number += this.#pending.length
    this.#pending = []
    this.#bytes = 0
    this.#publishing = this.#publishing.then(async () => {
      await this.#publish(batch, bytes)
      // Yields to readers, so that events are not trimmed before the readers have them.
      await turn(this.#clock)
    })
  }
}
