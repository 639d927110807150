import { seqOf, type ModelLog } from './model-log.ts'
import { Progress } from './progress.ts'

/** A gap as a client was told of it. */
export interface ToldGap {
  readonly topics: readonly string[]
  readonly reason: string
  /** Where the client stood. */
  readonly after: number
  /** How many publishes had been begun. */
  readonly published: number
}

/** All that a client of the model was sent. It complains about whatever is wrong by itself. */
export class ModelRecord {
  readonly topics: readonly string[]
  readonly complaints: string[] = []
  readonly gaps: ToldGap[] = []
  /** Events by their `seq`, and their numbers in the log. */
  readonly received = new Map<number, number>()
  /** All that was published after this is due to the client. */
  start = Infinity
  readonly #log: ModelLog
  readonly #progress = new Progress()
  #seq = -1

  constructor(topics: readonly string[], log: ModelLog) {
    this.topics = topics
    this.#log = log
  }

  /** Waits until the client has come as far as this. */
  reaches(seq: number): Promise<true> {
    return this.#progress.until(
      () => (this.#seq >= seq ? true : undefined),
      () => `A client of ${this.topics.join()} stands at ${this.#seq} and does not come to ${seq}`,
    )
  }

  gap(topics: readonly string[], reason: string): void {
    this.gaps.push({ topics, reason, after: this.#seq, published: this.#log.published.length })
  }

  /** A `cursor`, or an event. */
  take(event: string, data: string, id: string): void {
    const seq = seqOf(id)
    if (event === 'cursor' ? seq < this.#seq : seq <= this.#seq) {
      this.complaints.push(`${event} ${seq} after ${this.#seq}`)
    }
    this.#seq = seq
    this.start = Math.min(this.start, event === 'cursor' ? seq : seq - 1)
    if (event === 'message') this.#keep(seq, Number.parseInt(data))
    this.#progress.announce()
  }

  #keep(seq: number, number: number): void {
    this.received.set(seq, number)
    const wrong = this.#log.saw(number, seq)
    if (wrong !== undefined) this.complaints.push(wrong)
  }
}
