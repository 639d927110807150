import { Deferred } from './deferred.ts'

/** A place where the code under test waits until the test lets it go on. */
export class Pause {
  readonly #reached = new Deferred<undefined>()
  readonly #ended = new Deferred<undefined>()

  /** Resolves once somebody waits here. */
  get reached(): Promise<void> {
    return this.#reached.promise
  }

  wait(): Promise<void> {
    this.#reached.resolve(undefined)
    return this.#ended.promise
  }

  end(): void {
    this.#ended.resolve(undefined)
  }
}
