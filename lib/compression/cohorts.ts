import { Cohort, type SharedTopics } from './cohort.ts'

/**
 * The most cohorts of a mount, since clients may choose the topics. Beyond that, streams are sent uncompressed gzip
 * blocks.
 */
export const MAX_COHORTS = 64

/** The cohorts of a mount, by the topics that their streams share with those of other people. */
export class Cohorts {
  readonly #shared: SharedTopics
  readonly #cohorts = new Map<string, Cohort>()

  constructor(shared: SharedTopics) {
    this.#shared = shared
  }

  get size(): number {
    return this.#cohorts.size
  }

  get isFull(): boolean {
    return this.#cohorts.size >= MAX_COHORTS
  }

  /**
   * Adds a stream with these topics to its cohort. Returns `undefined` if nobody else has any of them, or if there are
   * too many cohorts.
   */
  enter(topics: readonly string[]): Cohort | undefined {
    const shared = topics.filter(topic => this.#shared.isShared(topic)).sort()
    if (shared.length === 0) return undefined
    const name = JSON.stringify(shared)
    let cohort = this.#cohorts.get(name)
    if (cohort === undefined) {
      if (this.isFull) return undefined
      cohort = new Cohort(name, shared, this.#shared)
      this.#cohorts.set(name, cohort)
    }
    cohort.size += 1
    return cohort
  }

  /** Removes a stream, and the cohort with its last one. */
  leave(cohort: Cohort): void {
    cohort.size -= 1
    if (cohort.size > 0) return
    this.#cohorts.delete(cohort.name)
    cohort.close()
  }
}
