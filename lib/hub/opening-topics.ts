import { plainStart, type TopicStart } from './feed/origin.ts'

// Of a stream that nobody opens within its time. Whoever takes more topics from it than this ends it.
const MOST = 10_000

/**
 * What has become of topics while the resolver of their stream was being asked: it may have read the rights before they
 * changed. The last word on each counts.
 */
export class OpeningTopics {
  readonly #isGranted = new Map<string, boolean>()

  /** Answers `false` where there are more than anybody could keep. */
  set(topics: readonly string[], isGranted: boolean): boolean {
    for (const topic of topics) this.#isGranted.set(topic, isGranted)
    return this.#isGranted.size <= MOST
  }

  /** The topics that were taken away. */
  get withdrawn(): string[] {
    return this.#topics(false)
  }

  /** What the resolver has asked for without what was taken away, and with what was added. */
  applyTo(requests: readonly TopicStart[]): TopicStart[] {
    const kept = requests.filter(({ topic }) => this.#isGranted.get(topic) !== false)
    const added = this.#topics(true).filter(topic => kept.every(request => request.topic !== topic))
    return [...kept, ...added.map(plainStart)]
  }

  #topics(isGranted: boolean): string[] {
    return [...this.#isGranted].flatMap(([topic, is]) => (is === isGranted ? topic : []))
  }
}
