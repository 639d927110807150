/**
 * A question that many ask at once. A look that was begun before somebody asks may see too little for him: he gets the
 * next one, and shares it with all who have asked since that one was begun.
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
