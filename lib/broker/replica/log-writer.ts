import type { Clock } from '../../clock.ts'
import { EventStreamError } from '../../errors.ts'
import { Acknowledged } from './acknowledged.ts'
import { catchUp } from './catch-up.ts'
import type { Appended, LogEngine, Outgoing } from './log-engine.ts'
import { Outbox } from './outbox.ts'

/** What a writer needs of an engine. */
export type WritableLog = Pick<LogEngine, 'append' | 'read' | 'renew'>

// Milliseconds until a look that has failed is tried again.
const PAUSE = 1_000

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
  #isVerifying = false
  #verifiesAt = -Infinity

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
      const { epoch, seq } = appended
      const isLost = this.acknowledged.add(event.topics, appended, this.#clock.monotonic())
      if (isLost) await this.#log.renew({ epoch, seq })
      return appended
    } finally {
      this.#pending -= 1
    }
  }

  /**
   * Where a connection was lost since: begins a new life of the log if it has lost what was published here before. Does nothing
   * where it has failed a moment ago.
   */
  async verify(): Promise<void> {
    const doubts = this.acknowledged.doubts()
    if (doubts.events.length === 0 || this.#isVerifying || this.#clock.monotonic() < this.#verifiesAt) return
    this.#isVerifying = true
    this.#verifiesAt = this.#clock.monotonic() + PAUSE
    try {
      const known = { epoch: '', seq: 0, acknowledged: doubts.events, clock: this.#clock }
      const { outcome, state } = await catchUp(this.#log, [], known)
      if (outcome === 'complete') doubts.settle()
      if (outcome === 'behind') await this.#log.renew({ epoch: state.epoch, seq: this.acknowledged.seq })
      this.#verifiesAt = -Infinity
    } finally {
      this.#isVerifying = false
    }
  }
}
