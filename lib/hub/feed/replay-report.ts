import type { Clock } from '../../clock.ts'
import { REPLAY, type ReplayKind, type ReplayMessage } from '../../diagnostics.ts'

/** What is to be told of how a client was brought up to date, once it is. */
export class ReplayReport {
  events = 0
  #kind: ReplayKind
  readonly #since: number

  private constructor(kind: ReplayKind, since: number) {
    this.#kind = kind
    this.#since = since
  }

  /**
   * Begins a report, if anybody wants to have it.
   *
   * @param since by the monotonic clock
   */
  static begin(kind: ReplayKind, since: number): ReplayReport | undefined {
    return REPLAY.hasSubscribers ? new ReplayReport(kind, since) : undefined
  }

  /** The client has been told of events that are lost. */
  lost(): void {
    if (this.#kind !== 'behind') this.#kind = 'gap'
  }

  tell(hub: object, stream: object, clock: Clock): void {
    const duration = clock.monotonic() - this.#since
    const message: ReplayMessage = { hub, stream, kind: this.#kind, events: this.events, duration }
    REPLAY.publish(message)
  }
}
