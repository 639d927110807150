import { Agent, request, type IncomingMessage } from 'node:http'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { seqOf, type ModelLog } from './model-log.ts'
import { ModelRecord } from './model-record.ts'

export interface ModelClientOptions {
  readonly topics: readonly string[]
  readonly log: ModelLog
  /** The server to go to: asked each time. */
  readonly server: () => string
  /** Milliseconds until it comes back: asked each time. Default 0. */
  readonly pause?: () => number
}

/** A client that is cut, stalls, and always comes back with its cursor. It remembers all it was sent, and complains. */
export class ModelClient extends ModelRecord {
  readonly #options: ModelClientOptions
  readonly #agent = new Agent()
  #cursor: string | undefined
  #incoming: IncomingMessage | undefined
  #timer: NodeJS.Timeout | undefined
  #stalled = false
  #over = false

  constructor(options: ModelClientOptions) {
    super(options.topics, options.log)
    this.#options = options
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
    })
    if (this.#stalled) incoming.pause()
  }

  #take({ event = 'message', data, id }: EventSourceMessage, stream: { sent: number }): void {
    if (event === 'goaway') return
    if (event === 'gap') {
      const { topics, reason } = JSON.parse(data) as { topics: string[]; reason: string }
      this.gap(topics, reason)
      return
    }
    if (id === undefined) {
      if (event !== 'cursor') this.complaints.push(`a ${event} without an id`)
      return
    }
    const seq = seqOf(id)
    if (seq <= stream.sent) this.complaints.push(`${seq} after ${stream.sent} on one stream`)
    stream.sent = seq
    this.#cursor = id
    this.take(event, data, id)
  }
}
