/**
 * Waits for changes on behalf of one reader, of which a run may have thousands: it hears of its signal once, and not anew
 * each time that it waits.
 */
export class Changes {
  #resolve: (() => void) | undefined
  readonly #signal: AbortSignal

  /** @param all who is notified: it is one of them until the signal is aborted */
  constructor(all: Set<Changes>, signal: AbortSignal) {
    this.#signal = signal
    if (signal.aborted) return
    all.add(this)
    signal.addEventListener('abort', () => {
      all.delete(this)
      this.notify()
    })
  }

  /** Resolves at the next change, or once the signal is aborted. One may wait at a time. */
  async next(): Promise<void> {
    if (this.#signal.aborted) return
    await new Promise<void>(resolve => {
      this.#resolve = resolve
    })
  }

  notify(): void {
    const resolve = this.#resolve
    this.#resolve = undefined
    resolve?.()
  }
}
