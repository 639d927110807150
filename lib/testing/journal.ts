import { clearTimeout, setTimeout } from 'node:timers'

/** What a wait is for, in words, and how long it may take in milliseconds. */
export interface Wait {
  readonly what: string
  readonly within: number
}

/** Milliseconds that a wait may take, unless told otherwise: less than the five seconds after which Vitest and Jest give up. */
export const DEFAULT_WITHIN = 4_000

/** What has come so far, in its order, and whoever waits for more. */
export class Journal<Entry> {
  readonly entries: Entry[] = []
  readonly #taken = new Set<Entry>()
  readonly #watchers = new Set<() => void>()
  readonly #describe: () => string

  /** @param describe what has come, for whoever has waited for something else */
  constructor(describe: () => string) {
    this.#describe = describe
  }

  add(entry: Entry): void {
    this.entries.push(entry)
    this.announce()
  }

  /** There is news: everybody who waits looks again. */
  announce(): void {
    for (const look of [...this.#watchers]) look()
  }

  /**
   * Answers the first entry that fits and that nobody has taken.
   *
   * @param over why nothing more will come, once nothing will
   */
  take<Fitting extends Entry>(
    fits: (entry: Entry) => entry is Fitting,
    over: () => string | undefined,
    wait: Wait,
  ): Promise<Fitting> {
    const find = (): Fitting | undefined => {
      const found = this.entries.find((entry): entry is Fitting => !this.#taken.has(entry) && fits(entry))
      if (found !== undefined) this.#taken.add(found)
      return found
    }
    return this.until(find, over, wait)
  }

  /** Answers the first answer of `find` that is not `undefined`, asked now and whenever there is news; rejects if it throws. */
  until<T>(find: () => T | undefined, over: () => string | undefined, { what, within }: Wait): Promise<T> {
    // Where the caller has been is of more use than where a timer was.
    const error = new Error()
    return new Promise((resolve, reject) => {
      const settle = (how: () => void): void => {
        clearTimeout(timer)
        this.#watchers.delete(look)
        how()
      }
      const fail = (why: string): void => {
        settle(() => {
          error.message = `waited for ${what}, but ${why}. ${this.#describe()}`
          reject(error)
        })
      }
      const look = (): void => {
        try {
          const found = find()
          if (found !== undefined) {
            settle(() => {
              resolve(found)
            })
            return
          }
        } catch (failure) {
          settle(() => {
            reject(failure)
          })
          return
        }
        const why = over()
        if (why !== undefined) fail(why)
      }
      // Not the clock of the hub: that may stand still.
      const timer = setTimeout(() => {
        fail(`it did not come within ${within} ms`)
      }, within)
      this.#watchers.add(look)
      look()
    })
  }
}
