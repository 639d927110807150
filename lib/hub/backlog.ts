import type { CloseReason } from '../stream/close-reason.ts'

/** A stream that bytes are kept for. */
export interface Kept {
  readonly stream: { abandon(reason: CloseReason): void }
  readonly policy: { readonly bufferedLimit: number }
}

/**
 * The bytes that wait in this process for slow clients, over all streams, beside the 64 KiB at most that each one's socket
 * has. Over the limit the slowest are cut: those of whom something has been waiting for the longest time.
 */
export class Backlog {
  #bytes = 0
  // In the order in which something began to wait for them.
  readonly #streams = new Map<Kept, number>()

  get bytes(): number {
    return this.#bytes
  }

  /** So many bytes more, or less, wait for a stream. */
  add(kept: Kept, bytes: number): void {
    this.#bytes += bytes
    const waiting = (this.#streams.get(kept) ?? 0) + bytes
    if (waiting === 0) this.#streams.delete(kept)
    else this.#streams.set(kept, waiting)
    if (bytes > 0 && this.#bytes > kept.policy.bufferedLimit) this.#cut(kept.policy.bufferedLimit)
  }

  #cut(limit: number): void {
    for (const { stream } of this.#streams.keys()) {
      if (this.#bytes <= limit) return
      stream.abandon('slow')
    }
  }
}
