import type { Clock } from '../clock.ts'
import { within } from '../deadline.ts'

/** A question to all instances, with the answers received so far. */
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
   * @param asking the name of the asking instance, which answers as well
   * @param isEnough whether an answer makes the others unnecessary, such as that of the one instance with a stream
   * @param isPatient whether to wait for such an answer from an instance that is not known to live
   */
  constructor(asking: string, isEnough: (answer: Answer) => boolean = () => false, isPatient = false) {
    this.#asking = asking
    this.#isEnough = isEnough
    this.#isPatient = isPatient
    this.#settled = new Promise(resolve => (this.#settle = resolve))
  }

  /** The known living instances without an answer that counts. */
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

  /** Waits for the answers of the living instances. Returns whether all arrived in time. */
  async isComplete(clock: Clock, ms: number, living: Promise<readonly string[]>): Promise<boolean> {
    // If the living instances are unknown, wait for the whole time.
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

  /** Stops waiting: no more answers will come. */
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
