// The most past epochs remembered.
const MOST = 16

/**
 * Epochs that are no longer the log's, or never were, and the `seq` up to which their events were delivered. Epochs are
 * random: a past one returns only if a failover or a restored backup replaces a later one.
 */
export class PastEpochs {
  readonly #ends = new Map<string, number>()

  has(epoch: string): boolean {
    return this.#ends.has(epoch)
  }

  /** @param seq up to which its events were delivered; 0 if none were */
  add(epoch: string, seq = 0): void {
    this.#ends.set(epoch, Math.max(seq, this.#ends.get(epoch) ?? 0))
    for (const oldest of this.#ends.keys()) {
      if (this.#ends.size <= MOST) break
      this.#ends.delete(oldest)
    }
  }

  /**
   * The log is in that epoch again. Returns the `seq` up to which its events were delivered, `undefined` for a new
   * epoch.
   */
  take(epoch: string): number | undefined {
    const seq = this.#ends.get(epoch)
    this.#ends.delete(epoch)
    return seq
  }
}
