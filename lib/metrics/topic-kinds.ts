import { callNow } from '../application.ts'

/** How many kinds of topics count by themselves: each is some time series in Prometheus. */
export const MAX_KINDS = 100

/** What all other topics are. */
export const OTHER = 'other'

const MAX_LENGTH = 100

/** The kinds of topics that have been seen, of which there is a bounded number. */
export class TopicKinds {
  readonly #name: (topic: string) => string
  readonly #kinds = new Set<string>()
  #hasWarned = false

  constructor(name: (topic: string) => string) {
    this.#name = name
  }

  /** The kind of an event: that of the first of its topics. Never throws. */
  of(topics: readonly string[]): string {
    const kind = this.#ask(topics[0] ?? '')
    if (typeof kind !== 'string' || kind === '' || kind.length > MAX_LENGTH) return OTHER
    if (this.#kinds.has(kind)) return kind
    if (this.#kinds.size >= MAX_KINDS) return OTHER
    this.#kinds.add(kind)
    return kind
  }

  #ask(topic: string): unknown {
    try {
      return callNow('`topic`', () => this.#name(topic))
    } catch (error) {
      this.#warn(error)
      return undefined
    }
  }

  // It is called for every event. What it says may hold the topic, which is not to be read in a log.
  #warn(error: unknown): void {
    if (this.#hasWarned) return
    this.#hasWarned = true
    const kind = error instanceof Error ? error.name : `a thrown ${typeof error}`
    const message = `\`topic\` of metrics() failed (${kind}): such events count as "${OTHER}". This is said once.`
    process.emitWarning(message, { type: 'KoaEventStreamWarning', code: 'TOPIC_KIND' })
  }
}
