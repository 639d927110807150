import { Deferred } from '../../support/deferred.ts'
import { now } from '../mark.ts'
import type { Client, Observer, Protocol, Wishes } from './client.ts'
import { Connection } from './connection.ts'
import { Http2Connections } from './http2-client.ts'
import { Histogram } from './histogram.ts'
import { InflatingClient } from './inflating-client.ts'

/** Milliseconds without any event after which those that are awaited count as lost. */
const PATIENCE = 30_000

export interface Opening {
  readonly port: number
  /** `{i}` stands for the client's number. */
  readonly path: string
  /** Header lines of each client, each with its CR LF; none for those beyond the list. */
  readonly headers?: readonly string[]
  readonly count: number
  /** How many are being opened at any time. Default 64. */
  readonly concurrency?: number
  /** These clients read nothing more once they are open. */
  readonly stalled?: boolean
  readonly protocol?: Protocol
}

export interface Opened {
  /** When the first was asked for, and when the last had begun, in microseconds. */
  readonly first: number
  readonly last: number
}

export interface Received {
  /** Milliseconds from publishing to receiving. */
  readonly p50: number
  readonly p99: number
  /** When the last event was received, in microseconds. */
  readonly last: number
  /** Bytes of bodies, compressed as they came; 0 but for clients of `gzip`. */
  readonly bytes: number
}

/** All clients of one load generator. */
export class Crowd implements Observer {
  readonly latencies = new Histogram()
  readonly #listeners: Client[] = []
  readonly #stalled: Client[] = []
  #received = 0
  #last = 0
  #bytes = 0
  #wanted = Infinity
  #reached: (() => void) | undefined
  #hasFailed = false
  readonly #failure = new Deferred<never>()

  constructor() {
    // Whoever waits next is told.
    this.#failure.promise.catch(() => undefined)
  }

  async open({
    port,
    path,
    headers = [],
    count,
    concurrency = 64,
    stalled = false,
    protocol,
  }: Opening): Promise<Opened> {
    const group = stalled ? this.#stalled : this.#listeners
    const connect = connecting(protocol)
    const first = now()
    let next = 0
    const worker = async (): Promise<void> => {
      while (next < count && !this.#hasFailed) {
        const i = next++
        const wishes = { port, path: path.replaceAll('{i}', String(i)), headers: headers[i] ?? '' }
        const connection = await connect(wishes, this)
        if (stalled) connection.stall()
        group.push(connection)
      }
    }
    await this.#unlessFailed(Promise.all(Array.from({ length: Math.min(concurrency, count) }, worker)))
    return { first, last: now() }
  }

  /** Forgets what was received up to now. */
  clear(): void {
    for (const { reader } of this.#listeners) reader.count = 0
    this.latencies.clear()
    this.#received = 0
    this.#bytes = 0
    this.#wanted = Infinity
  }

  /**
   * Resolves when each of so many clients has received so many events since the last `clear()`.
   *
   * @throws {Error} as a rejection, when events are lost, doubled or out of order, or a stream has ended
   */
  async receive({ clients, each }: { readonly clients: number; readonly each: number }): Promise<Received> {
    this.#wanted = clients * each
    await this.#unlessFailed(this.#all())
    const wrong = this.#listeners.find(({ reader }) => reader.count !== each)
    if (wrong !== undefined) throw new Error(`a client received ${wrong.reader.count} events instead of ${each}`)
    const { latencies } = this
    return { p50: latencies.quantile(0.5), p99: latencies.quantile(0.99), last: this.#last, bytes: this.#bytes }
  }

  /** The id of the last event that the first client has received. */
  noteIds(): void {
    this.#listeners[0]?.noteIds()
  }

  lastId(): string | undefined {
    return this.#listeners[0]?.lastId
  }

  close(): void {
    for (const connection of [...this.#listeners, ...this.#stalled]) connection.close()
    this.#listeners.length = 0
    this.#stalled.length = 0
    this.clear()
  }

  received(events: number): void {
    this.#received += events
    if (this.#received < this.#wanted) return
    this.#last = now()
    this.#reached?.()
  }

  carried(bytes: number): void {
    this.#bytes += bytes
  }

  failed(error: Error): void {
    this.#hasFailed = true
    this.#failure.reject(error)
  }

  #all(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#received >= this.#wanted) {
        resolve()
        return
      }
      let seen = this.#received
      const watch = setInterval(() => {
        if (seen === this.#received) reject(new Error(`${this.#wanted - seen} of ${this.#wanted} events are lost`))
        seen = this.#received
      }, PATIENCE)
      this.#reached = () => {
        clearInterval(watch)
        resolve()
      }
    })
  }

  #unlessFailed<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#failure.promise])
  }
}

function connecting(protocol: Protocol | undefined): (wishes: Wishes, observer: Observer) => Promise<Client> {
  if (protocol === undefined) return (wishes, observer) => Connection.open(wishes, observer)
  if (protocol.name === 'gzip') return (wishes, observer) => InflatingClient.open(wishes, observer)
  if (protocol.name === 'https') return (wishes, observer) => Connection.openSecure(wishes, observer)
  const connections = new Http2Connections(protocol.streams)
  return (wishes, observer) => connections.open(wishes, observer)
}
