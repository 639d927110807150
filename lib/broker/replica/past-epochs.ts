// Epochs that are remembered as over.
const MOST = 16

/** Epochs that are not the log's any more, or never were. They are random, so one that is over does not come back. */
export class PastEpochs {
  readonly #epochs = new Set<string>()

  has(epoch: string): boolean {
    return this.#epochs.has(epoch)
  }

  add(epoch: string): void {
    this.#epochs.add(epoch)
    for (const oldest of this.#epochs) {
      if (this.#epochs.size <= MOST) break
      this.#epochs.delete(oldest)
    }
  }

  /** The log has been restored from a copy of that life. */
  delete(epoch: string): void {
    this.#epochs.delete(epoch)
  }
}
