// What Redis says when it takes no writes at all, as opposed to one that is not allowed or of the wrong kind.
const REFUSAL = /(?:^|: )(?:-?)(OOM|READONLY|MISCONF|NOREPLICAS) /

/** Whether an error says that Redis takes no writes just now: it is full, or read-only. */
export function refusesWrites(error: unknown): boolean {
  return error instanceof Error && REFUSAL.test(error.message)
}

/** Knows whether Redis takes writes, by what became of those that there were. */
export class WriteCheck {
  readonly #tell: (isWritable: boolean, error?: unknown) => void
  #isWritable = true

  /** @param tell is told of each change */
  constructor(tell: (isWritable: boolean, error?: unknown) => void) {
    this.#tell = tell
  }

  /** A write succeeded. */
  succeeded(): void {
    if (this.#isWritable) return
    this.#isWritable = true
    this.#tell(true)
  }

  /** A write failed: with an error that may say something about all of them, or not. */
  failed(error: unknown): void {
    if (!this.#isWritable || !refusesWrites(error)) return
    this.#isWritable = false
    this.#tell(false, error)
  }
}
