import type { Clock } from '../../clock.ts'
import type { Appended, Outgoing } from './log-engine.ts'

interface Waiting {
  readonly event: Outgoing
  readonly resolve: (place: Appended) => void
  readonly reject: (error: unknown) => void
}

// The limits of a batch, in events, bytes and topics: the log is blocked while it handles one.
const EVENTS = 64
const BYTES = 65_536
const TOPICS = 256

/** Batches the events of one turn of the event loop, since many cost little more than one. Keeps their order. */
export class Outbox {
  readonly #send: (events: readonly Outgoing[]) => Promise<readonly (Appended | Error)[]>
  readonly #clock: Clock
  #batch: Waiting[] = []
  #bytes = 0
  #topics = 0

  /** @param send returns a place or an error for each event, or rejects for all of them */
  constructor(send: (events: readonly Outgoing[]) => Promise<readonly (Appended | Error)[]>, clock: Clock) {
    this.#send = send
    this.#clock = clock
  }

  put(event: Outgoing): Promise<Appended> {
    return new Promise((resolve, reject) => {
      if (this.#batch.length === 0) this.#sendLater()
      this.#batch.push({ event, resolve, reject })
      this.#bytes += event.body.length
      this.#topics += event.topics.length
      if (this.#batch.length >= EVENTS || this.#bytes >= BYTES || this.#topics >= TOPICS) this.#flush()
    })
  }

  #sendLater(): void {
    const batch = this.#batch
    this.#clock.turn(() => {
      if (this.#batch === batch) this.#flush()
    })
  }

  #flush(): void {
    const batch = this.#batch
    this.#batch = []
    this.#bytes = 0
    this.#topics = 0
    this.#send(batch.map(({ event }) => event)).then(
      results => {
        for (const [index, { resolve, reject }] of batch.entries()) {
          const result = results[index]
          if (result === undefined || result instanceof Error) reject(result)
          else resolve(result)
        }
      },
      (error: unknown) => {
        for (const { reject } of batch) reject(error)
      },
    )
  }
}
