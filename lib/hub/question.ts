import type { Clock } from '../clock.ts'
import { within } from '../deadline.ts'

/** What was asked of all instances, and what they have answered so far. */
export class Question<Answer> {
  /** By the name of the instance. */
  readonly answers = new Map<string, Answer>()

  readonly #asking: string
  readonly #isEnough: (answer: Answer) => boolean
  readonly #isPatient: boolean
  readonly #settled: Promise<void>
  #settle: () => void = () => undefined
  #hasEnough = false
  #expected: readonly string[] | undefined

  /**
   * @param asking the instance that asks, which answers like all others
   * @param isEnough whether an answer is all there is to know, whatever the others say: of what only one instance can have
   * @param isPatient whether such an answer may come from an instance that is not known to live, and is waited for
   */
  constructor(asking: string, isEnough: (answer: Answer) => boolean = () => false, isPatient = false) {
    this.#asking = asking
    this.#isEnough = isEnough
    this.#isPatient = isPatient
    this.#settled = new Promise(resolve => (this.#settle = resolve))
  }

  /** Instances that live and whose answer does not count, as far as it is known who lives. */
  silent(counts: (answer: Answer) => boolean = () => true): readonly string[] {
    const living = new Set([this.#asking, ...(this.#expected ?? [])])
    return [...living].filter(name => {
      const answer = this.answers.get(name)
      return answer === undefined || !counts(answer)
    })
  }

  hear(instance: string, answer: Answer): void {
    this.answers.set(instance, answer)
    this.#hasEnough ||= this.#isEnough(answer)
    this.#settleIfDone()
  }

  /** Waits for the answers of the instances that live, and answers whether all came in time. */
  async isComplete(clock: Clock, ms: number, living: Promise<readonly string[]>): Promise<boolean> {
    // Where nobody can tell who lives, only the time says that it is enough.
    living.then(
      instances => {
        this.#expected = instances
        this.#settleIfDone()
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

  #settleIfDone(): void {
    if (this.#hasEnough || (!this.#isPatient && this.#isWhole)) this.#settle()
  }

  get #isWhole(): boolean {
    return this.#hasEnough || (this.#expected !== undefined && this.silent().length === 0)
  }
}
