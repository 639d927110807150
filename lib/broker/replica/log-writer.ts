import type { Clock } from '../../clock.ts'
import { EventStreamError } from '../../errors.ts'
import { Acknowledged } from './acknowledged.ts'
import { hasLost } from './catch-up.ts'
import { PAGE_TOPICS, type Appended, type LogEngine, type Outgoing } from './log-engine.ts'
import { Outbox } from './outbox.ts'

/** What a writer needs of an engine. */
export type WritableLog = Pick<LogEngine, 'append' | 'read' | 'renew'>

export interface LogWriterOptions {
  /** How many events may be on their way at once. */
  readonly maxPending: number
  readonly clock: Clock
}

/** Publishes into a log, remembers what was acknowledged, and has a new life begun of a log that has lost it. */
export class LogWriter {
  /** What was published here. */
  readonly acknowledged = new Acknowledged()

  readonly #log: WritableLog
  readonly #outbox: Outbox
  readonly #clock: Clock
  readonly #maxPending: number
  #pending = 0

  constructor(log: WritableLog, { maxPending, clock }: LogWriterOptions) {
    this.#log = log
    this.#clock = clock
    this.#maxPending = maxPending
    this.#outbox = new Outbox(events => log.append(events), clock)
  }

  /** @throws {EventStreamError} `ERR_BROKER`: the event is not known to be in history */
  async publish(event: Outgoing): Promise<Appended> {
    if (this.#pending >= this.#maxPending) {
      const waiting = String(this.#maxPending)
      throw new EventStreamError('ERR_BROKER', `publish: ${waiting} calls are waiting for the log already`)
    }
    this.#pending += 1
    try {
      const appended = await this.#outbox.put(event)
      const { epoch, seq, isRepeat } = appended
      const here = this.#clock.monotonic()
      if (!isRepeat && this.acknowledged.add(event.topics, appended, here)) await this.#log.renew({ epoch, seq })
      return appended
    } finally {
      this.#pending -= 1
    }
  }

  /** Begins a new life of the log if it has lost what was published here. */
  async verify(): Promise<void> {
    const acknowledged = this.acknowledged.of('')
    if (acknowledged.size === 0) return
    const wishes = [...acknowledged].map(([topic, { seq: after }]) => ({ topic, after, count: 0 }))
    while (wishes.length > 0) {
      const { state, topics } = await this.#log.read(wishes.splice(0, PAGE_TOPICS))
      if (this.acknowledged.of(state.epoch).size === 0) return
      const isLost = topics.some(page => {
        const event = acknowledged.get(page.topic)
        return event !== undefined && hasLost(page, event, { log: state.now, here: this.#clock.monotonic() })
      })
      if (!isLost) continue
      await this.#log.renew({ epoch: state.epoch, seq: this.acknowledged.seq })
      return
    }
  }
}
