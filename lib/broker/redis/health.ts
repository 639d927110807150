// What Redis says when it takes no writes at all, as opposed to one that is not allowed or of the wrong kind.
const REFUSAL = /(?:^|: )(?:-?)(OOM|READONLY|MISCONF|NOREPLICAS) /

/** Whether an error says that Redis takes no writes just now: it is full, or read-only. */
export function refusesWrites(error: unknown): boolean {
  return error instanceof Error && REFUSAL.test(error.message)
}

/** Knows whether something works, by what became of it when it was tried. */
export class Health {
  readonly #tell: (isWell: boolean, error?: unknown) => void
  #isWell = true

  /** @param tell is told of each change */
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
