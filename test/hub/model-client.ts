import { Agent, request, type IncomingMessage } from 'node:http'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { Progress } from '../support/progress.ts'

/** An event as the oracle knows it. */
export interface Published {
  readonly seq: number
  readonly topics: readonly string[]
}

interface ToldGap {
  readonly topics: readonly string[]
  readonly reason: string
  /** Where the client stood when it was told. */
  readonly after: number
}

/** A client that is cut, stalls, and always comes back with its cursor. It remembers all it was sent, and complains. */
export class ModelClient {
  readonly topics: readonly string[]
  readonly complaints: string[] = []
  readonly #url: string
  readonly #agent = new Agent()
  readonly #progress = new Progress()
  readonly #received = new Set<number>()
  readonly #gaps: ToldGap[] = []
  #cursor: string | undefined
  #seq = -1
  #start = Infinity
  #incoming: IncomingMessage | undefined
  #stalled = false
  #over = false

  constructor(url: string, topics: readonly string[]) {
    this.#url = `${url}?topics=${topics.join()}`
    this.topics = topics
  }

  connect(): void {
    if (this.#over) return
    const headers = this.#cursor === undefined ? {} : { 'last-event-id': this.#cursor }
    const outgoing = request(this.#url, { agent: this.#agent, headers })
    outgoing.on('error', () => {})
    outgoing.once('close', () => this.connect())
    outgoing.once('response', incoming => this.#read(incoming))
    outgoing.end()
  }

  /** Breaks the connection off in the middle of whatever is on its way. */
  cut(): void {
    this.#incoming?.destroy()
  }

  stall(): void {
    this.#stalled = true
    this.#incoming?.pause()
  }

  resume(): void {
    this.#stalled = false
    this.#incoming?.resume()
  }

  /** Waits until the client has come as far as this. */
  reaches(seq: number): Promise<true> {
    return this.#progress.until(
      () => (this.#seq >= seq ? true : undefined),
      () => `A client of ${this.topics.join()} stands at ${this.#seq} and does not come to ${seq}`,
    )
  }

  leave(): void {
    this.#over = true
    this.#agent.destroy()
    this.cut()
  }

  /** Compares all that was sent with all that was published, and adds to the complaints. */
  check(log: readonly Published[]): void {
    const own = log.filter(({ seq, topics }) => seq > this.#start && topics.some(topic => this.topics.includes(topic)))
    const expected = new Set(own.map(({ seq }) => seq))
    for (const seq of this.#received) if (!expected.has(seq)) this.complaints.push(`${seq} is not the client’s`)
    for (const { seq, topics } of own) {
      if (this.#received.has(seq)) continue
      const isTold = this.#gaps.some(gap =>
        topics.some(topic => gap.topics.includes(topic) && gap.after < seq && seq < this.#endOf(gap, topic, own)),
      )
      if (!isTold) this.complaints.push(`${seq} of ${topics.join()} was lost in silence`)
    }
    for (const { topics, reason, after } of this.#gaps) {
      if (reason !== 'trimmed') this.complaints.push(`a gap because of ${reason}`)
      for (const topic of topics) if (!this.#hasLost(own, topic, after)) this.complaints.push(`a false gap of ${topic}`)
    }
  }

  // A gap of a topic ends with the next event of that topic alone.
  #endOf({ after }: ToldGap, topic: string, own: readonly Published[]): number {
    const next = own.find(({ seq, topics }) => seq > after && topics.join() === topic && this.#received.has(seq))
    return next?.seq ?? Infinity
  }

  // What was published to several topics may be gone from one's history and still come by another's.
  #hasLost(own: readonly Published[], topic: string, after: number): boolean {
    return own.some(
      ({ seq, topics }) => seq > after && topics.includes(topic) && (topics.length > 1 || !this.#received.has(seq)),
    )
  }

  #read(incoming: IncomingMessage): void {
    this.#incoming = incoming
    const stream = { sent: -1 }
    const parser = createParser({
      onEvent: event => this.#take(event, stream),
      onError: error => this.complaints.push(error.message),
    })
    incoming.setEncoding('utf8')
    incoming.on('error', () => {})
    incoming.on('data', (chunk: string) => {
      parser.feed(chunk)
      this.#progress.announce()
    })
    if (this.#stalled) incoming.pause()
  }

  #take({ event = 'message', data, id }: EventSourceMessage, stream: { sent: number }): void {
    if (event === 'gap') {
      const { topics, reason } = JSON.parse(data) as { topics: string[]; reason: string }
      this.#gaps.push({ topics, reason, after: this.#seq })
      return
    }
    if (id === undefined) {
      if (event !== 'cursor') this.complaints.push(`a ${event} without an id`)
      return
    }
    const seq = Number(id.split('-')[1])
    if (seq <= stream.sent) this.complaints.push(`${seq} after ${stream.sent} on one stream`)
    if (event === 'cursor' ? seq < this.#seq : seq <= this.#seq)
      this.complaints.push(`${event} ${seq} after ${this.#seq}`)
    stream.sent = seq
    this.#seq = seq
    this.#cursor = id
    this.#start = Math.min(this.#start, seq)
    if (event === 'message') this.#received.add(seq)
  }
}
