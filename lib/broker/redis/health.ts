// Error codes of a Redis that accepts no writes at all, as opposed to a denied command or a wrong type.
const REFUSAL = /(?:^|: )(?:-?)(OOM|READONLY|MISCONF|NOREPLICAS) /

/** Whether an error means that Redis accepts no writes now: it is full, or read-only. */
export function refusesWrites(error: unknown): boolean {
  return error instanceof Error && REFUSAL.test(error.message)
}

/** Tracks the health of an operation by its outcomes. */
export class Health {
  readonly #tell: (isWell: boolean, error?: unknown) => void
  #isWell = true

  /** @param tell called on each change */
  constructor(tell: (isWell: boolean, error?: unknown) => void) {
    this.#tell = tell
  }

  succeeded(): void {
    if (this.#isWell) return
    this.#isWell = true
    this.#tell(true)
  }

  failed(error: unknown): void {
    if (!this.#isWell) return
    this.#isWell = false
    this.#tell(false, error)
  }
}
