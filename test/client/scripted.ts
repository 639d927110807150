import { createParser } from 'eventsource-parser'
import type { Environment, EventSourceLike, FetchInit, Page, Wake } from '../../lib/client/environment.ts'
import type { Live } from '../../lib/client/live.ts'
import { createLive } from '../../lib/client/live-target.ts'
import { checkOptions, type ConnectOptions, type UrlFunction } from '../../lib/client/options.ts'
import type { EventMap } from '../../lib/wire/event.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { Progress } from '../support/progress.ts'

/** One attempt of a client's, as the server sees it. */
export interface Peer {
  readonly kind: 'eventsource' | 'fetch'
  readonly url: URL
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
  /** Where the client says that it is. */
  readonly lastEventId: string | null
  /** Answers that this is an event stream. */
  open(): void
  /** Sends whole blocks, or parts of them. */
  send(text: string): void
  /** Ends the response as if nothing had happened. */
  end(): void
  /** Breaks the connection. */
  cut(): void
  /** Answers with another status, or another type. */
  refuse(status: number, headers?: Record<string, string>): void
  /** Whether the client has left. */
  readonly isClosed: boolean
}

/** A world without a network, in which time stands still: what a client asks of it is answered by the test. */
export class ScriptedWorld {
  readonly clock = new ManualClock()
  readonly peers: Peer[] = []
  readonly reported: unknown[] = []
  /** What chance says. */
  chance = 0
  readonly env: Environment
  readonly #progress = new Progress()
  #wakes = new Set<(wake: Wake) => void>()
  #seen = 0
  #answers: { status: number; headers: Record<string, string> } | undefined

  constructor({
    hasEventSource = true,
    base = 'https://app.test/page',
    page = {},
  }: { hasEventSource?: boolean; base?: string; page?: Page } = {}) {
    const addSource = (url: string): EventSourceLike => this.#addSource(url)
    class Source implements EventSourceLike {
      readonly #source: EventSourceLike
      constructor(url: string) {
        this.#source = addSource(url)
      }
      get readyState() {
        return this.#source.readyState
      }
      addEventListener(...args: Parameters<EventSourceLike['addEventListener']>) {
        this.#source.addEventListener(...args)
      }
      close() {
        this.#source.close()
      }
    }
    this.env = {
      now: this.clock.now,
      after: this.clock.after,
      chance: () => this.chance,
      fetch: (url, init) => this.#fetch(url, init),
      EventSource: hasEventSource ? Source : undefined,
      base: base === '' ? undefined : base,
      onWake: (listener, signal) => {
        this.#wakes.add(listener)
        signal.addEventListener('abort', () => this.#wakes.delete(listener))
      },
      report: error => this.reported.push(error),
      page,
    }
  }

  connect<Events extends object = EventMap>(
    url: string | URL | UrlFunction,
    options: ConnectOptions = {},
  ): Live<Events> {
    return createLive<Events>(this.env, checkOptions(url, options, this.env), options)
  }

  /** Whether anybody listens for signs of waking up. */
  get isListening(): boolean {
    return this.#wakes.size > 0
  }

  wake(wake: Wake): void {
    for (const listener of [...this.#wakes]) listener(wake)
  }

  /** The next attempt that has not been looked at yet. */
  async next(): Promise<Peer> {
    const peer = await this.#progress.until(
      () => this.peers[this.#seen],
      () => `no attempt was made but the ${this.#seen} that were looked at`,
    )
    this.#seen += 1
    return peer
  }

  /** How many attempts have not been looked at. */
  get unseen(): number {
    return this.peers.length - this.#seen
  }

  #add(peer: Peer): void {
    this.peers.push(peer)
    this.#progress.announce()
  }

  async #fetch(url: string, init: FetchInit): Promise<Response> {
    const { signal } = init
    if (init.method === 'HEAD') {
      const { status = 200, headers = {} } = this.#answers ?? {}
      return new Response(null, { status, headers })
    }
    let push: ReadableStreamDefaultController<Uint8Array> | undefined
    const body = new ReadableStream<Uint8Array>({
      start: controller => {
        push = controller
      },
    })
    signal.addEventListener('abort', () => {
      push?.error(signal.reason)
    })
    return new Promise<Response>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')))
      this.#add({
        kind: 'fetch',
        url: new URL(url),
        method: init.method,
        headers: init.headers,
        body: init.body ?? undefined,
        lastEventId: init.headers['last-event-id'] ?? new URL(url).searchParams.get('lastEventId'),
        open: () => resolve(new Response(body, { headers: { 'content-type': 'text/event-stream; charset=utf-8' } })),
        send: text => {
          // A client that has left hears nothing.
          if (!signal.aborted) push?.enqueue(new TextEncoder().encode(text))
        },
        end: () => push?.close(),
        cut: () => {
          push?.error(new TypeError('terminated'))
          reject(new TypeError('fetch failed'))
        },
        refuse: (status, headers = {}) => resolve(new Response(status === 204 ? null : 'no', { status, headers })),
        get isClosed() {
          return signal.aborted
        },
      })
    })
  }

  #addSource(url: string): EventSourceLike {
    const listeners = new Map<string, Set<(event: { data: string; lastEventId: string }) => void>>()
    let readyState = 0
    let lastEventId = ''
    const fire = (name: string, event: { data?: string; lastEventId?: string }) => {
      if (readyState === 2 && event.data !== undefined) return
      for (const listener of listeners.get(name) ?? []) listener({ data: '', lastEventId: '', ...event })
    }
    const parser = createParser({
      onEvent: ({ event = 'message', data, id }) => {
        lastEventId = id ?? lastEventId
        fire(event, { data, lastEventId })
      },
    })
    let isClosed = false
    const lost = (state: 0 | 2) => {
      readyState = state
      fire('error', {})
    }
    this.#add({
      kind: 'eventsource',
      url: new URL(url),
      method: 'GET',
      headers: {},
      body: undefined,
      lastEventId: new URL(url).searchParams.get('lastEventId'),
      open: () => {
        readyState = 1
        fire('open', {})
      },
      send: text => parser.feed(text),
      end: () => lost(0),
      cut: () => lost(0),
      refuse: (status, headers = {}) => {
        this.#answers = { status, headers }
        lost(2)
      },
      get isClosed() {
        return isClosed
      },
    })
    return {
      get readyState() {
        return readyState
      },
      addEventListener: (name, listener) => {
        listeners.set(name, (listeners.get(name) ?? new Set()).add(listener))
      },
      close: () => {
        isClosed = true
        readyState = 2
      },
    }
  }
}

export const STREAM = { 'content-type': 'text/event-stream' }

/** An event of the log, as it is sent. */
export function event(seq: number, data: unknown = seq, name = 'tick', epoch = 'e'): string {
  return `id: ${epoch}-${seq}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`
}

export function cursor(seq: number, heartbeat: number | null = 25_000, epoch = 'e'): string {
  return `id: ${epoch}-${seq}\nevent: cursor\ndata: {"stream":"s","heartbeat":${heartbeat}}\n\n`
}

export const HEARTBEAT = 'event: heartbeat\ndata: {"heartbeat":25000}\n\n'

export function gap(reason = 'trimmed', topics = ['news']): string {
  return `event: gap\ndata: ${JSON.stringify({ topics, reason })}\n\n`
}

export function goaway(reason: string, retry?: number): string {
  return `event: goaway\ndata: ${JSON.stringify({ reason, ...(retry !== undefined && { retry }) })}\n\n`
}
