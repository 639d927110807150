import { Agent, request, type IncomingMessage } from 'node:http'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
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

export interface ModelClientOptions {
  readonly topics: readonly string[]
  readonly log: ModelLog
  /** The server to go to: asked each time. */
  readonly server: () => string
  /** Milliseconds until it comes back: asked each time. Default 0. */
  readonly pause?: () => number
}

/** A client that is cut, stalls, and always comes back with its cursor. It remembers all it was sent, and complains. */
export class ModelClient {
  readonly topics: readonly string[]
  readonly complaints: string[] = []
  readonly gaps: ToldGap[] = []
  /** Events by their `seq`, and their numbers in the log. */
  readonly received = new Map<number, number>()
  /** All that was published after this is due to the client. */
  start = Infinity
  readonly #options: ModelClientOptions
  readonly #agent = new Agent()
  readonly #progress = new Progress()
  #cursor: string | undefined
  #seq = -1
  #incoming: IncomingMessage | undefined
  #timer: NodeJS.Timeout | undefined
  #stalled = false
  #over = false

  constructor(options: ModelClientOptions) {
    this.#options = options
    this.topics = options.topics
  }

  connect(): void {
    const { server, pause = () => 0 } = this.#options
    const headers = this.#cursor === undefined ? {} : { 'last-event-id': this.#cursor }
    const outgoing = request(`${server()}?topics=${this.topics.join()}`, { agent: this.#agent, headers })
    outgoing.on('error', () => {})
    outgoing.once('close', () => {
      if (!this.#over) this.#timer = setTimeout(() => this.connect(), pause())
    })
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
    clearTimeout(this.#timer)
    this.#agent.destroy()
    this.cut()
  }

  #read(incoming: IncomingMessage): void {
    this.#incoming = incoming
    if (incoming.statusCode !== 200) this.complaints.push(`status ${incoming.statusCode}`)
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
    if (event === 'goaway') return
    if (event === 'gap') {
      const { topics, reason } = JSON.parse(data) as { topics: string[]; reason: string }
      this.gaps.push({ topics, reason, after: this.#seq, published: this.#options.log.published.length })
      return
    }
    if (id === undefined) {
      if (event !== 'cursor') this.complaints.push(`a ${event} without an id`)
      return
    }
    const seq = seqOf(id)
    if (seq <= stream.sent) this.complaints.push(`${seq} after ${stream.sent} on one stream`)
    if (event === 'cursor' ? seq < this.#seq : seq <= this.#seq)
      this.complaints.push(`${event} ${seq} after ${this.#seq}`)
    stream.sent = seq
    this.#seq = seq
    this.#cursor = id
    this.start = Math.min(this.start, event === 'cursor' ? seq : seq - 1)
    if (event === 'message') this.#keep(seq, Number.parseInt(data))
  }

  #keep(seq: number, number: number): void {
    this.received.set(seq, number)
    const wrong = this.#options.log.saw(number, seq)
    if (wrong !== undefined) this.complaints.push(wrong)
  }
}
