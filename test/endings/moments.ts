import { Pause } from '../support/pause.ts'

/**
 * The moments at which a request waits for something, told apart by what it waits for and how often it has done so before. It
 * goes on at once, but for one at which the test has it stop.
 */
export class Moments {
  #passed: string[] = []
  #stopAt = -1
  #pause = new Pause()

  /** What a request has waited for, in order. */
  get passed(): readonly string[] {
    return this.#passed
  }

  /** A request begins, and is to stop at its moment of this number; by default at none. */
  begin(stopAt = -1): Pause {
    this.#passed = []
    this.#stopAt = stopAt
    this.#pause = new Pause()
    return this.#pause
  }

  /** Whatever comes now is not to stop. Who has stopped still waits. */
  letPass(): void {
    this.#stopAt = -1
  }

  async pass(name: string): Promise<void> {
    const count = this.#passed.filter(other => other.startsWith(name)).length
    this.#passed.push(count === 0 ? name : `${name}, time ${count + 1}`)
    if (this.#passed.length - 1 === this.#stopAt) await this.#pause.wait()
  }

  /** Makes two moments of a call: it is on its way, and its answer is on the way back. */
  around<Args extends unknown[], Answer>(
    name: string,
    call: (...args: Args) => Answer | PromiseLike<Answer>,
  ): (...args: Args) => Promise<Answer> {
    return async (...args) => {
      await this.pass(`${name} is asked`)
      const answer = await call(...args)
      await this.pass(`${name} answers`)
      return answer
    }
  }
}
