import type { Clock } from '../../clock.ts'
import { EventStreamError } from '../../errors.ts'
import { Acknowledged } from './acknowledged.ts'
import { catchUp } from './catch-up.ts'
import type { Appended, LogEngine, Outgoing } from './log-engine.ts'
import { Outbox } from './outbox.ts'

/** The part of an engine that a writer uses. */
export type WritableLog = Pick<LogEngine, 'append' | 'read' | 'renew'>

// Milliseconds before a failed check is retried.
const PAUSE = 1_000

export interface LogWriterOptions {
  /** The most events in flight. */
  readonly maxPending: number
  readonly clock: Clock
}

/** Publishes to a log, remembers what was acknowledged, and begins a new epoch if the log has lost it. */
export class LogWriter {
  /** Events published by this process. */
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

  /** @throws {EventStreamError} `ERR_BROKER`: the event may not be in history */
  async publish(event: Outgoing): Promise<Appended> {
    if (this.#pending >= this.#maxPending) {
      const waiting = String(this.#maxPending)
      throw new EventStreamError('ERR_BROKER', `publish: the limit of ${waiting} pending publishes is reached`)
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
   * After a lost connection: begins a new epoch if the log has lost events published here. Does nothing for a while
   * after a failure.
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
