import type { Clock } from '../clock.ts'
import type { BareEvent, Batch } from './batch.ts'
import type { SourceEvent } from './source.ts'
import { turn } from './turn.ts'

/** Bytes of events that are published at once, and that wait for it, at the most; one event may be larger. */
const BATCH_BYTES = 16_384

/** Makes one publish of events that come soon after each other. One is under way at a time, so that they stay in order. */
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

  /** The number of the last event that was published, or is to be. */
  get last(): number {
    return this.#number
  }

  /** Takes an event. Resolves once there is room for more. */
  async add({ event, bytes }: SourceEvent): Promise<void> {
    // Without the wait a source of large events would be as far ahead of the log as it likes.
    if (this.#bytes + bytes > BATCH_BYTES) await this.settled()
    this.#pending.push(event)
    this.#bytes += bytes
    if (this.#bytes >= BATCH_BYTES) await this.settled()
    else this.#schedule()
  }

  /** Publishes what there is. Resolves once all of it has been. */
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
      // While one publish is under way the next one grows.
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
      // Readers have their turn, so that what is kept for them is not forgotten before they have it.
      await turn(this.#clock)
    })
  }
}
