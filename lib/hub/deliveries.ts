import { DELIVERY, type Delivery, type DeliveryMessage } from '../diagnostics.ts'
import type { Batch } from './fan-out.ts'
import type { LogFrame } from './feed/page.ts'

/** Counts what is written to streams, and publishes it on the diagnostics channel of deliveries. */
export class Deliveries {
  /** Topic events written, counted once per stream. */
  events = 0
  /** Bytes of response bodies, before compression and HTTP framing. */
  bytes = 0

  readonly #hub: object
  readonly #now: () => number

  /** @param now returns the log's time, in milliseconds since 1970 */
  constructor(hub: object, now: () => number) {
    this.#hub = hub
    this.#now = now
  }

  /** Records the batches of one turn; each was written to at least one stream. */
  live(batches: readonly Batch[]): void {
    for (const { count, streams } of batches) this.events += count * streams
    if (DELIVERY.hasSubscribers) this.#tell(true, deliveriesOf(batches))
  }

  /** Records events from history that were written to one stream. */
  replayed(frames: readonly LogFrame[]): void {
    this.events += frames.length
    if (!DELIVERY.hasSubscribers || frames.length === 0) return
    this.#tell(
      false,
      frames.map(({ event, topics }) => ({ event, topics, streams: 1 })),
    )
  }

  #tell(isLive: boolean, deliveries: readonly Delivery[]): void {
    const message: DeliveryMessage = { hub: this.#hub, isLive, now: this.#now(), deliveries }
    DELIVERY.publish(message)
  }
}

// Batches may share their first events: each event is reported once.
function deliveriesOf(batches: readonly Batch[]): Delivery[] {
  const found = new Map<LogFrame['event'], Delivery>()
  for (const batch of batches) {
    for (const { event, topics } of batch.frames()) {
      const streams = batch.streams + (found.get(event)?.streams ?? 0)
      found.set(event, { event, topics, streams })
    }
  }
  return [...found.values()]
}
