import { DELIVERY, type Delivery, type DeliveryMessage } from '../diagnostics.ts'
import type { Batch } from './fan-out.ts'
import type { LogFrame } from './feed/page.ts'

/** What has been written to streams: it is counted, and told to whoever subscribes to the channel of deliveries. */
export class Deliveries {
  /** Events of topics, once a stream. */
  events = 0
  /** Bytes of streams' bodies, before compression and the framing of HTTP. */
  bytes = 0

  readonly #hub: object
  readonly #now: () => number

  /** @param now answers the log's own time, in milliseconds since 1970 */
  constructor(hub: object, now: () => number) {
    this.#hub = hub
    this.#now = now
  }

  /** Batches of one turn, each of them written to at least one stream. */
  live(batches: readonly Batch[]): void {
    for (const { count, streams } of batches) this.events += count * streams
    if (DELIVERY.hasSubscribers) this.#tell(true, deliveriesOf(batches))
  }

  /** Events from history that were written to one stream. */
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

// Batches that streams were given may have their first events in common.
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
