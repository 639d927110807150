import { CLOSE_REASONS, type CloseReason } from '../stream/close-reason.ts'
import type { HubStats, RefusalReason } from './lifecycle.ts'

/** What has happened since the hub was made. */
export class Counters {
  opened = 0
  published = 0
  gaps = 0
  readonly #closed = new Map<CloseReason, number>(CLOSE_REASONS.map(reason => [reason, 0]))
  readonly #refused = new Map<RefusalReason, number>()

  closed(reason: CloseReason): void {
    this.#closed.set(reason, (this.#closed.get(reason) ?? 0) + 1)
  }

  refused(reason: RefusalReason): void {
    this.#refused.set(reason, (this.#refused.get(reason) ?? 0) + 1)
  }

  snapshot(): Pick<HubStats, 'opened' | 'published' | 'gaps' | 'closed' | 'refused'> {
    const { opened, published, gaps } = this
    return {
      opened,
      published,
      gaps,
      closed: Object.fromEntries(this.#closed) as Record<CloseReason, number>,
      refused: Object.fromEntries(this.#refused),
    }
  }
}
