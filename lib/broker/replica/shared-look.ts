/**
 * A read shared by concurrent callers. A read in progress may miss what happened just before a call: such a caller gets
 * the next one, shared with all who have called since.
 */
export class SharedLook<State> {
  readonly #look: () => Promise<State>
  #current: Promise<State> | undefined
  #next: Promise<State> | undefined

  constructor(look: () => Promise<State>) {
    this.#look = look
  }

  ask(): Promise<State> {
    if (this.#current === undefined) return this.#begin()
    this.#next ??= this.#current.then(
      () => this.#begin(),
      () => this.#begin(),
    )
    return this.#next
  }

  #begin(): Promise<State> {
    this.#next = undefined
    this.#current = this.#look().finally(() => {
      this.#current = undefined
    })
    return this.#current
  }
}
