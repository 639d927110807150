/** A place where the code under test waits until the test lets it go on. */
export class Pause {
  /** Resolves once somebody waits here. */
  readonly reached: Promise<void>
  readonly #ended: Promise<void>
  #reach = (): void => {}
  #end = (): void => {}

  constructor() {
    this.reached = new Promise(resolve => (this.#reach = resolve))
    this.#ended = new Promise(resolve => (this.#end = resolve))
  }

  wait(): Promise<void> {
    this.#reach()
    return this.#ended
  }

  end(): void {
    this.#end()
  }
}
