import { Agent, request, type ClientRequest, type IncomingMessage } from 'node:http'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { seqOf, type ModelLog } from '../support/model-log.ts'
import { Progress } from '../support/progress.ts'

/** Where a client may go. */
export interface Server {
  readonly url: string
}

/** The time from a stream's end to the next stream that has caught up. */
export interface Absence {
  /** Whether the stream that ended had caught up. */
  readonly wasLive: boolean
  /** What the client had been told to wait, in milliseconds. */
  readonly retry: number
  /** By the clock of `performance.now()`. */
  readonly began: number
  /** Milliseconds; `undefined` as long as it has not ended. */
  lasted: number | undefined
}

export interface ReturningOptions {
  readonly name: string
  readonly topics: readonly string[]
  readonly log: ModelLog
  /** The server to go to: asked each time. */
  readonly server: () => Server
  /** Where it has been already, as a page that was rendered earlier says. */
  readonly cursor?: string
  /** Awaited after each chunk before it reads on; told how many events the client has. */
  readonly pace?: (received: number) => Promise<void>
}

/** A request and what became of it. */
interface Visit {
  readonly server: Server
  hasEvents: boolean
  isLive: boolean
}

// For browsers that have been told nothing it is “a few seconds” (WHATWG HTML, section 9.2.2).
const DEFAULT_RETRY = 3_000

/**
 * A client that comes back as an EventSource does: when it was told to, with its last id, over connections that are kept
 * alive, and never again after any other status than 200.
 */
export class ReturningClient {
  readonly absences: Absence[] = []
  /** How often it was sent away before it got an event, or did not get through. */
  turnedAway = 0
  /** Where it has a stream that has caught up. */
  at: Server | undefined
  readonly #options: ReturningOptions
  readonly #agent = new Agent({ keepAlive: true })
  readonly #progress = new Progress()
  readonly #complaints: string[] = []
  // The events by their `seq`, as they came.
  readonly #received: number[] = []
  #outgoing: ClientRequest | undefined
  #timer: NodeJS.Timeout | undefined
  #retry = DEFAULT_RETRY
  #cursor: string | undefined
  // All that was published to its topics after this is due to the client.
  #start: number | undefined
  #seq = -1
  #isOver = false

  constructor(options: ReturningOptions) {
    this.#options = options
    if (options.cursor === undefined) return
    this.#moveTo(options.cursor)
    this.#start = this.#seq
  }

  connect(): void {
    const { name, topics, server } = this.#options
    const visit: Visit = { server: server(), hasEvents: false, isLive: false }
    const outgoing = request(`${visit.server.url}/?topics=${topics.join()}`, {
      agent: this.#agent,
      headers: { accept: 'text/event-stream', 'x-user': name, ...(this.#cursor && { 'last-event-id': this.#cursor }) },
    })
    outgoing.on('error', () => {})
    outgoing.once('response', incoming => this.#read(incoming, visit))
    outgoing.once('close', () => this.#wait(visit))
    outgoing.end()
    this.#outgoing = outgoing
  }

  /** Waits until the client has caught up, and not there, if that is said. */
  isLive(elsewhereThan?: Server): Promise<true> {
    return this.#progress.until(
      () => (this.at !== undefined && this.at !== elsewhereThan ? true : undefined),
      () => `${this.#name} has no stream`,
    )
  }

  /** Waits until the client has come as far as this. */
  reaches(seq: number): Promise<true> {
    return this.#progress.until(
      () => (this.#seq >= seq ? true : undefined),
      () => `${this.#name} stands at ${this.#seq} and does not come to ${seq}`,
    )
  }

  leave(): void {
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#outgoing?.destroy()
    this.#agent.destroy()
  }

  /** What is wrong with what the client was sent: it must be all that was published to its topics, once each, in order. */
  check(): string[] {
    const { log, topics } = this.#options
    const start = this.#start ?? NaN
    const due = log.published
      .filter(event => event.topics.some(topic => topics.includes(topic)))
      .flatMap(({ seq = NaN }) => (seq > start ? seq : []))
      .sort((a, b) => a - b)
    if (due.length > 0 && due.join() === this.#received.join()) return this.#complaints
    const missing = due.filter(seq => !this.#received.includes(seq))
    const strange = this.#received.filter(seq => !due.includes(seq))
    return [
      ...this.#complaints,
      `${this.#name} got ${this.#received.length} events for ${due.length}, without ${missing.join()}, with ${strange.join()}`,
    ]
  }

  get #name(): string {
    return `The client ${this.#options.name} of ${this.#options.topics.join()}`
  }

  #read(incoming: IncomingMessage, visit: Visit): void {
    if (incoming.statusCode !== 200) {
      this.#complaints.push(`${this.#name} was answered ${String(incoming.statusCode)}`)
      this.#isOver = true
    }
    const { pace } = this.#options
    const parser = createParser({
      onEvent: event => this.#take(event, visit),
      onRetry: retry => (this.#retry = retry),
      onError: error => this.#complaints.push(error.message),
    })
    incoming.setEncoding('utf8')
    incoming.on('error', () => {})
    incoming.on('data', (chunk: string) => {
      parser.feed(chunk)
      this.#progress.announce()
      if (pace === undefined) return
      incoming.pause()
      void pace(this.#received.length).then(() => incoming.resume())
    })
  }

  #take({ event = 'message', data, id }: EventSourceMessage, visit: Visit): void {
    // It moves no cursor, and is all that whoever is turned away gets.
    if (event === 'goaway') return
    if (event === 'gap') this.#complaints.push(`${this.#name} is told of a gap: ${data}`)
    visit.hasEvents = true
    if (id !== undefined) this.#moveTo(id)
    // What is published while a newcomer is let in may come before its cursor.
    this.#start ??= event === 'cursor' ? this.#seq : this.#seq - 1
    if (event === 'message') {
      this.#received.push(this.#seq)
      const wrong = this.#options.log.saw(Number.parseInt(data), this.#seq)
      if (wrong !== undefined) this.#complaints.push(wrong)
    }
    if (event === 'cursor') this.#arrive(visit)
  }

  #moveTo(id: string): void {
    const seq = seqOf(id)
    if (seq < this.#seq) this.#complaints.push(`${this.#name} is sent ${seq} after ${this.#seq}`)
    this.#seq = seq
    this.#cursor = id
  }

  #arrive(visit: Visit): void {
    visit.isLive = true
    this.at = visit.server
    const absence = this.absences.at(-1)
    if (absence !== undefined) absence.lasted ??= performance.now() - absence.began
  }

  #wait({ hasEvents, isLive }: Visit): void {
    this.at = undefined
    if (this.#isOver) return
    if (!hasEvents) this.turnedAway += 1
    else this.absences.push({ wasLive: isLive, retry: this.#retry, began: performance.now(), lasted: undefined })
    this.#timer = setTimeout(() => this.connect(), this.#retry)
    this.#progress.announce()
  }
}
