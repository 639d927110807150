import { CLOSE_REASONS, type CloseReason } from '../stream/close-reason.ts'
import { REFUSAL_REASONS, type HubStats, type RefusalReason } from './lifecycle.ts'

/** What has happened since the hub was made. */
export class Counters {
  opened = 0
  published = 0
  gaps = 0
  readonly #closed = zeros(CLOSE_REASONS)
  readonly #refused = zeros(REFUSAL_REASONS)

  closed(reason: CloseReason): void {
    this.#closed[reason] += 1
  }

  refused(reason: RefusalReason): void {
    this.#refused[reason] += 1
  }

  snapshot(): Pick<HubStats, 'opened' | 'published' | 'gaps' | 'closed' | 'refused'> {
    const { opened, published, gaps } = this
    return { opened, published, gaps, closed: { ...this.#closed }, refused: { ...this.#refused } }
  }
}

function zeros<Reason extends string>(reasons: readonly Reason[]): Record<Reason, number> {
  return Object.fromEntries(reasons.map(reason => [reason, 0])) as Record<Reason, number>
}
