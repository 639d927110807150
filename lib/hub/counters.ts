import { CLOSE_REASONS, type CloseReason } from '../stream/close-reason.ts'
import { REFUSAL_REASONS, RUN_ENDS, type HubStats, type RefusalReason, type RunEnd } from './lifecycle.ts'

type Counted = 'opened' | 'published' | 'gaps' | 'faults' | 'lost' | 'running' | 'closed' | 'refused' | 'runs'

/** Counts what has happened since the hub was created. */
export class Counters {
  opened = 0
  published = 0
  gaps = 0
  faults = 0
  lost = 0
  running = 0
  readonly #closed = zeros(CLOSE_REASONS)
  readonly #refused = zeros(REFUSAL_REASONS)
  readonly #runs = zeros(RUN_ENDS)

  closed(reason: CloseReason): void {
    this.#closed[reason] += 1
  }

  refused(reason: RefusalReason): void {
    this.#refused[reason] += 1
  }

  runEnded(how: RunEnd): void {
    this.running -= 1
    this.#runs[how] += 1
  }

  snapshot(): Pick<HubStats, Counted> {
    const { opened, published, gaps, faults, lost, running } = this
    const byReason = { closed: { ...this.#closed }, refused: { ...this.#refused }, runs: { ...this.#runs } }
    return { opened, published, gaps, faults, lost, running, ...byReason }
  }
}

function zeros<Reason extends string>(reasons: readonly Reason[]): Record<Reason, number> {
  return Object.fromEntries(reasons.map(reason => [reason, 0])) as Record<Reason, number>
}
