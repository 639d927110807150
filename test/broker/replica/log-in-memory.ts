import type {
  Appended,
  LogEngine,
  LoggedEvent,
  LogListener,
  LogPage,
  Outgoing,
  Page,
  Predecessor,
  TopicPage,
  Wish,
} from '../../../lib/broker/replica/log-engine.ts'
import type { Position } from '../../../lib/wire/cursor.ts'

/** A remote log that is not remote: what an engine promises, with the faults that a test asks for. */
export class LogInMemory implements LogEngine {
  readonly memory = 60_000
  /** What was asked for, page by page. */
  readonly asked: (readonly Wish[])[] = []
  /** Errors with which the next reads fail, one each; `undefined` for one that succeeds. */
  readonly failures: (Error | undefined)[] = []
  readonly lost: unknown[] = []
  /** What the log knows of a topic's end, where it is not what it has. */
  readonly forgotten = new Map<string, Predecessor>()
  /** Whether events reach the listener. */
  hands = true
  epoch = 'one'
  now = 1_000_000
  seq = 0
  base = 0
  listener: LogListener | undefined

  readonly #topics = new Map<string, LoggedEvent[]>()
  readonly #heard = new Set<string>()
  readonly #keys = new Map<string, Appended>()
  #lives = 1

  start(listener: LogListener): void {
    this.listener = listener
  }

  /** Connects, as an engine does once it has been started. */
  async up(): Promise<void> {
    this.#heard.clear()
    await this.listener?.up()
  }

  down(): void {
    this.#heard.clear()
    this.listener?.down(new Error('cut'))
  }

  async append(events: readonly Outgoing[]): Promise<Appended[]> {
    return events.map(({ topics, body, key }) => {
      const first = key === undefined ? undefined : this.#keys.get(key)
      if (first !== undefined) {
        const places = topics.map(topic => this.#topics.get(topic)?.find(({ seq }) => seq === first.seq)?.previous)
        return { ...first, previous: places, isRepeat: true }
      }
      this.seq += 1
      const { epoch, seq, now: at } = this
      const previous = topics.map(topic => this.#endOf(topic))
      for (const [index, topic] of topics.entries()) {
        const before = previous[index] ?? this.#endOf(topic)
        const event = { epoch, seq, at, previous: before, isShared: topics.length > 1, frame: body }
        this.#topics.set(topic, [...(this.#topics.get(topic) ?? []), event])
        this.forgotten.delete(topic)
        if (this.hands && this.#heard.has(topic)) this.listener?.event(topic, event)
      }
      const appended = { epoch, seq, at, isRepeat: false, previous }
      if (key !== undefined) this.#keys.set(key, appended)
      return appended
    })
  }

  async read(wishes: readonly Wish[], { bytes }: Page = { bytes: Infinity }): Promise<LogPage> {
    this.asked.push(wishes)
    const failure = this.failures.shift()
    if (failure !== undefined) throw failure
    let spent = 0
    const topics = wishes.map(({ topic, after, count = Infinity }): TopicPage => {
      const wanted = (this.#topics.get(topic) ?? []).filter(({ seq }) => seq > after).slice(0, count)
      const events: LoggedEvent[] = []
      for (const event of wanted) {
        if (spent > 0 && spent + event.frame.length > bytes) break
        spent += event.frame.length
        events.push({ ...event, isShared: false })
      }
      const [first] = (this.#topics.get(topic) ?? []).filter(({ seq }) => seq > after)
      const next = count === 0 && first !== undefined ? { next: first } : {}
      return { topic, last: this.#endOf(topic), events, ...next, more: events.length < wanted.length }
    })
    return { state: { epoch: this.epoch, seq: this.seq, base: this.base, now: this.now }, topics }
  }

  async listen(topics: readonly string[]): Promise<void> {
    for (const topic of topics) this.#heard.add(topic)
  }

  unlisten(topics: readonly string[]): void {
    for (const topic of topics) this.#heard.delete(topic)
  }

  async fence(): Promise<void> {
    // What was appended has been told in the same turn.
  }

  async renew({ epoch }: Position): Promise<void> {
    if (epoch === this.epoch) this.beginAnew()
  }

  /** Loses everything, and tells. */
  beginAnew(): void {
    this.flush(`one${'+'.repeat(this.#lives)}`, this.seq)
    this.#lives += 1
    this.listener?.renewed()
  }

  /** Begins another life behind a `seq`. */
  flush(epoch: string, seq: number): void {
    this.epoch = epoch
    this.seq = seq
    this.base = seq
    this.#topics.clear()
    this.forgotten.clear()
  }

  /** A replica that is no further than the log is now. Answers what puts it in the log's place. */
  replica(): () => void {
    const { epoch, seq, base } = this
    const topics = [...this.#topics]
    const keys = [...this.#keys]
    return () => {
      this.flush(epoch, seq)
      this.#keys.clear()
      for (const [key, first] of keys) this.#keys.set(key, first)
      this.base = base
      for (const [topic, events] of topics) this.#topics.set(topic, events)
    }
  }

  /** Loses the events of a topic up to a `seq`, as history does. */
  trim(topic: string, upTo: number): void {
    this.#topics.set(
      topic,
      (this.#topics.get(topic) ?? []).filter(({ seq }) => seq > upTo),
    )
  }

  lose(error: unknown): void {
    this.lost.push(error)
  }

  close(): void {
    this.listener = undefined
  }

  #endOf(topic: string): Predecessor {
    const last = this.#topics.get(topic)?.at(-1)
    return this.forgotten.get(topic) ?? { seq: last?.seq ?? this.base, isKnown: true }
  }
}
