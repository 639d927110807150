import type { Clock } from '../clock.ts'
import { within } from '../deadline.ts'

/** What an instance says of its streams. */
export interface Answer {
  /** How many of them stand as was asked for. */
  readonly streams: number
  /** How many should, and do not. */
  readonly refused: number
}

/** What was asked of all instances, and what they have said so far. */
export class Question {
  readonly #answers = new Map<string, Answer>()
  readonly #asking: string
  // Whether it is about one stream, which only one instance can have.
  readonly #isOfOne: boolean
  readonly #settled: Promise<void>
  #settle: () => void = () => undefined
  #expected: readonly string[] | undefined

  /** @param asking the instance that asks, which answers like all others */
  constructor(asking: string, isOfOne: boolean) {
    this.#asking = asking
    this.#isOfOne = isOfOne
    this.#settled = new Promise(resolve => (this.#settle = resolve))
  }

  /** The sum of all answers. */
  get answer(): Answer {
    let [streams, refused] = [0, 0]
    for (const answer of this.#answers.values()) {
      streams += answer.streams
      refused += answer.refused
    }
    return { streams, refused }
  }

  hear(instance: string, answer: Answer): void {
    this.#answers.set(instance, answer)
    if (this.#isWhole) this.#settle()
  }

  /** Waits for the answers of the instances that live, and answers whether all came in time. */
  async isComplete(clock: Clock, ms: number, living: Promise<readonly string[]>): Promise<boolean> {
    // Where nobody can tell who lives, only the time says that it is enough.
    living.then(
      instances => {
        this.#expected = instances
        if (this.#isWhole) this.#settle()
      },
      () => undefined,
    )
    await within(clock, ms, this.#settled, () => new Error('late')).catch(() => undefined)
    return this.#isWhole
  }

  /** Nobody answers any more. */
  close(): void {
    this.#settle()
  }

  get #isWhole(): boolean {
    const { streams, refused } = this.answer
    if (this.#isOfOne && streams + refused > 0) return true
    return this.#expected !== undefined && [this.#asking, ...this.#expected].every(name => this.#answers.has(name))
  }
}
