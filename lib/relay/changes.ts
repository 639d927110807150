/**
 * Waits for changes on behalf of one reader. A run may have thousands of readers, so each adds one listener to its
 * signal, and not one for each wait.
 */
export class Changes {
  #resolve: (() => void) | undefined
  readonly #signal: AbortSignal

  /** @param all the set of waiters to notify, which has this one until the signal is aborted */
  constructor(all: Set<Changes>, signal: AbortSignal) {
    this.#signal = signal
    if (signal.aborted) return
    all.add(this)
    signal.addEventListener('abort', () => {
      all.delete(this)
      this.notify()
    })
  }

  /** Resolves at the next change, or once the signal is aborted. Only one call may wait at a time. */
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
