import { callNow } from '../application.ts'

/** How many kinds are counted separately: each is several time series in Prometheus. */
export const MAX_KINDS = 100

/** The kind of all other topics. */
export const OTHER = 'other'

const MAX_LENGTH = 100

/** The kinds of topics seen so far, at most `MAX_KINDS`. */
export class TopicKinds {
  readonly #name: (topic: string) => string
  readonly #kinds = new Set<string>()
  #hasWarned = false

  constructor(name: (topic: string) => string) {
    this.#name = name
  }

  /** The kind of an event: that of its first topic. Never throws. */
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

  // Called for every event, so it warns once. The message may contain the topic, which must not be logged.
  #warn(error: unknown): void {
    if (this.#hasWarned) return
    this.#hasWarned = true
    const kind = error instanceof Error ? error.name : `a thrown ${typeof error}`
    const message = `\`topic\` of metrics() failed (${kind}): such events count as "${OTHER}". This warning is shown once.`
    process.emitWarning(message, { type: 'KoaEventStreamWarning', code: 'TOPIC_KIND' })
  }
}
