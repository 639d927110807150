import type { Clock } from '../../clock.ts'
import { REPLAY, type ReplayKind, type ReplayMessage } from '../../diagnostics.ts'

/** Collects the diagnostics message about a client's replay, published once it is live. */
export class ReplayReport {
  events = 0
  #kind: ReplayKind
  readonly #since: number

  private constructor(kind: ReplayKind, since: number) {
    this.#kind = kind
    this.#since = since
  }

  /**
   * Begins a report if the channel has subscribers.
   *
   * @param since by the monotonic clock
   */
  static begin(kind: ReplayKind, since: number): ReplayReport | undefined {
    return REPLAY.hasSubscribers ? new ReplayReport(kind, since) : undefined
  }

  /** The client was told of a gap. */
  lost(): void {
    if (this.#kind !== 'behind') this.#kind = 'gap'
  }

  tell(hub: object, stream: object, clock: Clock): void {
    const duration = clock.monotonic() - this.#since
    const message: ReplayMessage = { hub, stream, kind: this.#kind, events: this.events, duration }
    REPLAY.publish(message)
  }
}
