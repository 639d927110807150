import type { Clock } from '../../clock.ts'
import { EventStreamError } from '../../errors.ts'
import { Acknowledged } from './acknowledged.ts'
import { catchUp } from './catch-up.ts'
import type { Appended, LogEngine, Outgoing } from './log-engine.ts'
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
  #isVerifying = false

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
      if (appended.isRepeat) this.#remember(event.topics, appended).catch(() => undefined)
      else await this.#acknowledge(event.topics, appended)
      return appended
    } finally {
      this.#pending -= 1
    }
  }

  /** Where a connection was lost since: begins a new life of the log if it has lost what was published here before. */
  async verify(): Promise<void> {
    const acknowledged = this.acknowledged.doubtful
    if (acknowledged.length === 0 || this.#isVerifying) return
    this.#isVerifying = true
    try {
      const known = { epoch: '', seq: 0, acknowledged, clock: this.#clock }
      const { outcome, state } = await catchUp(this.#log, [], known)
      if (outcome === 'complete') this.acknowledged.confirm(acknowledged)
      if (outcome === 'behind') await this.#log.renew({ epoch: state.epoch, seq: this.acknowledged.seq })
    } finally {
      this.#isVerifying = false
    }
  }

  async #acknowledge(topics: readonly string[], appended: Appended): Promise<void> {
    const { epoch, seq } = appended
    const isLost = this.acknowledged.add(topics, appended, this.#clock.monotonic())
    if (isLost) await this.#log.renew({ epoch, seq })
  }

  // The event that was published first with a key may have had other topics: only the log knows.
  async #remember(topics: readonly string[], { epoch, seq, isRepeat }: Appended): Promise<void> {
    const page = await this.#log.read(topics.map(topic => ({ topic, after: seq - 1, count: 1 })))
    if (page.state.epoch !== epoch) return
    for (const { topic, events } of page.topics) {
      const [event] = events
      if (event?.seq !== seq) continue
      await this.#acknowledge([topic], { epoch, seq, at: event.at, previous: [event.previous], isRepeat })
    }
  }
}
