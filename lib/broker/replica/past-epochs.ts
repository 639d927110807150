// Epochs that are remembered as over.
const MOST = 16

/**
 * Epochs that are not the log's any more, or never were, and up to where their events were handed on. They are random: one that is
 * over comes back only where a fail-over, or a copy that is restored, puts an earlier life of the log in place of a later one.
 */
export class PastEpochs {
  readonly #ends = new Map<string, number>()

  has(epoch: string): boolean {
    return this.#ends.has(epoch)
  }

  /** @param seq up to here its events were handed on; 0 where none were */
  add(epoch: string, seq = 0): void {
    this.#ends.set(epoch, Math.max(seq, this.#ends.get(epoch) ?? 0))
    for (const oldest of this.#ends.keys()) {
      if (this.#ends.size <= MOST) break
      this.#ends.delete(oldest)
    }
  }

  /** The log is in that life again. Answers up to where its events were handed on, `undefined` for a life that is new. */
  take(epoch: string): number | undefined {
    const seq = this.#ends.get(epoch)
    this.#ends.delete(epoch)
    return seq
  }
}
