import { plainStart, type TopicStart } from './feed/origin.ts'

// More topics changed while a resolver is running end its stream.
const MOST = 10_000

/**
 * The topics added to or removed from a stream while its resolver is running: the resolver may have read the
 * permissions before they changed. The last change of each topic counts.
 */
export class OpeningTopics {
  readonly #isGranted = new Map<string, boolean>()

  /** Records a change. Returns `false` if there are now more than 10,000. */
  set(topics: readonly string[], isGranted: boolean): boolean {
    for (const topic of topics) this.#isGranted.set(topic, isGranted)
    return this.#isGranted.size <= MOST
  }

  /** The removed topics. */
  get withdrawn(): string[] {
    return this.#topics(false)
  }

  /** The resolver's topics without the removed ones and with the added ones. */
  applyTo(requests: readonly TopicStart[]): TopicStart[] {
    const kept = requests.filter(({ topic }) => this.#isGranted.get(topic) !== false)
    const added = this.#topics(true).filter(topic => kept.every(request => request.topic !== topic))
    return [...kept, ...added.map(plainStart)]
  }

  #topics(isGranted: boolean): string[] {
    return [...this.#isGranted].flatMap(([topic, granted]) => (granted === isGranted ? topic : []))
  }
}
