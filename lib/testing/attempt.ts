import type { IncomingHttpHeaders } from 'node:http'
import { ownEvent } from '../client/own-event.ts'
import { openConnection, type StreamConnection, type StreamRequest } from './connection.ts'
import { Journal } from './journal.ts'
import { StreamRefused } from './stream-refused.ts'
import type { Visit } from './visits.ts'

/** A block of a stream. `data` is `undefined` where it has only an id; `id` where it has none. */
export interface Block {
  readonly event: string
  readonly data: string | undefined
  readonly id: string | undefined
}

export interface AttemptListener {
  block(block: Block): void
  comment(text: string): void
  /** Nothing more comes. */
  ended(): void
}

/** One connection of a stream, from its request to its end. */
export class Attempt {
  readonly visit: Visit
  /** Why it has ended: what its last block said, `end` or `cut` where there was none, `client` where we have left. */
  reason: string | undefined
  /** Resolves with that. */
  readonly closed: Promise<string>
  /** The `id` of the stream, from its `cursor`; empty before, and where it carries a source and no topics. */
  id = ''

  readonly #listener: AttemptListener
  readonly #progress = new Journal<never>(() => '')
  #connection: StreamConnection | undefined
  #goaway: string | undefined
  #tellClosed: (reason: string) => void = () => undefined

  constructor(visit: Visit, listener: AttemptListener) {
    this.visit = visit
    this.#listener = listener
    this.closed = new Promise(resolve => {
      this.#tellClosed = resolve
    })
  }

  /**
   * @returns once the subscription stands, and what was missed has come
   * @throws {StreamRefused} as a rejection, where it does not
   */
  async open(request: StreamRequest, within: number): Promise<void> {
    this.#connection = await openConnection(request, {
      block: (event, data, id) => {
        this.#read({ event, data, id })
      },
      comment: text => {
        this.#listener.comment(text)
      },
      ended: isWhole => {
        this.#end(this.#goaway ?? (isWhole ? 'end' : 'cut'))
      },
    })
    if (this.visit.hasTopics === false) return
    const { headers } = this.#connection
    await this.#progress.until(
      () => this.#standing(headers),
      () => undefined,
      { what: `the \`cursor\` of ${request.url}`, within },
    )
  }

  /** Breaks the connection, and resolves once the server knows. */
  async leave(reason: 'cut' | 'client'): Promise<void> {
    this.#end(reason)
    this.#connection?.cut()
    await this.visit.left()
  }

  #standing(headers: IncomingHttpHeaders): true | undefined {
    if (this.id !== '') return true
    if (this.reason === undefined) return undefined
    throw new StreamRefused({ status: 200, headers, body: '', reason: this.reason })
  }

  #read(block: Block): void {
    if (this.reason !== undefined) return
    const { event, data = '' } = block
    if (event === 'goaway') this.#goaway = ownEvent(data).reason ?? 'server'
    this.#listener.block(block)
    if (event !== 'cursor') return
    const { stream } = ownEvent(data) as { stream?: unknown }
    if (typeof stream === 'string') this.id = stream
    this.#progress.announce()
  }

  #end(reason: string): void {
    if (this.reason !== undefined) return
    this.reason = reason
    this.#tellClosed(reason)
    this.#listener.ended()
    this.#progress.announce()
  }
}
