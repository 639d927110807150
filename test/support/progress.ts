/**
 * How long a wait goes on before it fails, in milliseconds. Reached only when something is wrong: a machine may have ten
 * other things to do.
 */
export const PATIENCE = 120_000

/** For whatever asks a real Redis, which may take its time unless a test is about a Redis that does not answer. */
export const PATIENT = { timeout: PATIENCE }

/** Lets tests wait until something is so, looking again whenever there is news and never by the clock. */
export class Progress {
  readonly #watchers = new Set<() => void>()

  /** There is news: everybody who waits looks again. */
  announce(): void {
    for (const look of [...this.#watchers]) look()
  }

  /** Resolves to the first answer of `find` that is not `undefined`; rejects if it throws, or with `describe()` when patience ends. */
  until<T>(find: () => T | undefined, describe: () => string): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = (how: () => void) => {
        clearTimeout(timer)
        this.#watchers.delete(look)
        how()
      }
      const look = () => {
        try {
          const found = find()
          if (found !== undefined) settle(() => resolve(found))
        } catch (error) {
          settle(() => reject(error))
        }
      }
      const timer = setTimeout(() => settle(() => reject(new Error(`${describe()} (waited ${PATIENCE} ms)`))), PATIENCE)
      this.#watchers.add(look)
      look()
    })
  }
}
