import { Cohort, type SharedTopics } from './cohort.ts'

/** The most cohorts of a mount: topics may be the clients' choice. What more streams are sent is stored. */
export const MAX_COHORTS = 64

/** The cohorts of a mount, by the topics that their streams have in common with other people's. */
export class Cohorts {
  readonly #shared: SharedTopics
  readonly #cohorts = new Map<string, Cohort>()

  constructor(shared: SharedTopics) {
    this.#shared = shared
  }

  get size(): number {
    return this.#cohorts.size
  }

  /** Counts a stream with these topics in. Answers `undefined` where nobody else has any, or there are too many cohorts. */
  enter(topics: readonly string[]): Cohort | undefined {
    const shared = topics.filter(topic => this.#shared.isShared(topic)).sort()
    if (shared.length === 0) return undefined
    const name = JSON.stringify(shared)
    let cohort = this.#cohorts.get(name)
    if (cohort === undefined) {
      if (this.#cohorts.size >= MAX_COHORTS) return undefined
      cohort = new Cohort(name, shared, this.#shared)
      this.#cohorts.set(name, cohort)
    }
    cohort.size += 1
    return cohort
  }

  /** Counts a stream out, and forgets a cohort without any. */
  leave(cohort: Cohort): void {
    cohort.size -= 1
    if (cohort.size > 0) return
    this.#cohorts.delete(cohort.name)
    cohort.close()
  }
}
