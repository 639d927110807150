import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { constants, type ClientHttp2Stream } from 'node:http2'
import { createParser } from 'eventsource-parser'
import { Progress } from './progress.ts'

/** One thing that came over a stream. */
export interface Received {
  readonly kind: 'event' | 'comment' | 'retry'
  /** The event's name, `message` where none was sent; empty for a comment or a retry. */
  readonly event: string
  /** The event's data, the comment's text, or the digits of the retry. */
  readonly data: string
  /** The id in this very block, if one was sent. */
  readonly id: string | undefined
}

/** `end`: the response was complete. `cut`: the connection or the stream broke off, by either side's doing. */
export type Ending = 'end' | 'cut'

/** A response and the events in it, read by somebody else's parser as they arrive. */
export class ReceivedStream {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** All that came so far, whether `next` has passed it or not. */
  readonly received: Received[] = []
  /** How the response ended. Never rejects. */
  readonly closed: Promise<Ending>
  readonly #cancel: () => void
  readonly #progress = new Progress()
  #passed = 0
  #body = ''
  #ending: Ending | undefined
  #fault: Error | undefined

  constructor(
    status: number,
    headers: IncomingHttpHeaders,
    body: IncomingMessage | ClientHttp2Stream,
    cancel: () => void,
  ) {
    this.status = status
    this.headers = headers
    this.#cancel = cancel
    this.closed = this.#read(body)
  }

  /** What comes, from where `next` stands to the end of the response. */
  get events(): AsyncIterable<Received> {
    return { [Symbol.asyncIterator]: () => this.#iterate() }
  }

  /** Goes on to the next thing that matches, which is any event unless told otherwise; rejects if the response ends first. */
  next(matches: (thing: Received) => boolean = thing => thing.kind === 'event'): Promise<Received> {
    return this.#progress.until(
      () => {
        while (true) {
          const thing = this.#advance()
          if (thing === undefined) break
          if (matches(thing)) return thing
        }
        if (this.#ending !== undefined) throw new Error(`The stream ended before that came. ${this.#soFar()}`)
        return undefined
      },
      () => `That did not come. ${this.#soFar()}`,
    )
  }

  /** The whole body as text, once the response has ended. */
  text(): Promise<string> {
    return this.#progress.until(
      () => (this.#ending === undefined ? undefined : this.#body),
      () => `The response did not end. ${this.#soFar()}`,
    )
  }

  /** Leaves, as a browser does when its page goes away. */
  close(): void {
    this.#cancel()
  }

  async *#iterate(): AsyncGenerator<Received, void> {
    while (true) {
      const thing = await this.#progress.until(
        () => this.#advance() ?? this.#ending,
        () => `Nothing more came. ${this.#soFar()}`,
      )
      if (typeof thing === 'string') return
      yield thing
    }
  }

  #advance(): Received | undefined {
    if (this.#fault !== undefined) throw this.#fault
    const thing = this.received[this.#passed]
    if (thing !== undefined) this.#passed++
    return thing
  }

  #read(body: IncomingMessage | ClientHttp2Stream): Promise<Ending> {
    const keep = (kind: Received['kind'], event: string, data: string, id?: string) =>
      this.received.push({ kind, event, data, id })
    const parser = createParser({
      onEvent: ({ event = 'message', data, id }) => keep('event', event, data, id),
      onComment: text => keep('comment', '', text),
      onRetry: ms => keep('retry', '', String(ms)),
      onError: error => (this.#fault ??= error),
    })
    body.setEncoding('utf8')
    body.on('data', (chunk: string) => {
      this.#body += chunk
      parser.feed(chunk)
      this.#progress.announce()
    })
    // A broken connection shows as an error before it shows as closed; what matters is told by `closed`.
    body.on('error', () => {})
    return new Promise(resolve => {
      body.once('close', () => {
        // Node ends the readable side of a cancelled HTTP/2 stream; the reset's code tells it from a complete one.
        const reset = 'rstCode' in body && body.rstCode !== constants.NGHTTP2_NO_ERROR
        this.#ending = body.readableEnded && !reset ? 'end' : 'cut'
        resolve(this.#ending)
        this.#progress.announce()
      })
    })
  }

  #soFar(): string {
    return `Status ${this.status}, received so far: ${JSON.stringify(this.#body.slice(-2_000))}`
  }
}
