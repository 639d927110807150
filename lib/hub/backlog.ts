import type { CloseReason } from '../stream/close-reason.ts'

/** A stream with buffered bytes. */
export interface Kept {
  readonly stream: { abandon(reason: CloseReason): void }
  readonly policy: { readonly bufferedLimit: number }
}

/**
 * Counts the bytes buffered in this process for slow clients, over all streams; each stream's socket has up to 64 KiB
 * more. Over the limit the slowest streams are cut: those that have had bytes waiting for the longest time.
 */
export class Backlog {
  #bytes = 0
  // The stream whose buffer has been non-empty for the longest time comes first.
  readonly #streams = new Map<Kept, number>()

  get bytes(): number {
    return this.#bytes
  }

  /** Adds to a stream's buffered bytes; a negative number subtracts. */
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
