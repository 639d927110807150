import type { EventMap } from '../wire/event.ts'
import type { Arrival, Gap } from '../wire/notices.ts'
import { Connection, type Message } from './connection.ts'
import type { Environment } from './environment.ts'
import { Inbox } from './inbox.ts'
import { Loader } from './loader.ts'
import type { ConnectOptions, Settings } from './options.ts'
import { Reader } from './reader.ts'
import type { Reason, State } from './reasons.ts'

/** What a listener gets beside the data. */
export interface About {
  /** The name of the event. */
  readonly event: string
  /** Its id, or that of the last one before it: what `Last-Event-ID` would be. */
  readonly id: string
}

/** The events that the server's library sends itself: where the stream stands, what is missing, why it ends. */
export interface OwnEvents {
  cursor: Arrival
  gap: Gap
  goaway: { readonly reason: string }
}

/** An event, as `for await` reads it. A gap is one of them. */
export type Received<Events extends object = EventMap> = string extends keyof Events
  ? { readonly event: string; readonly data: unknown; readonly id: string }
  : | {
        [Name in keyof Events & string]: { readonly event: Name; readonly data: Events[Name]; readonly id: string }
      }[keyof Events & string]
    | { readonly event: 'gap'; readonly data: Gap; readonly id: string }

type All<Events extends object> = Omit<Events, keyof OwnEvents> & OwnEvents

// How long events wait for the answer to the page's own action, in milliseconds.
const OWN_ACTION = 5_000

/**
 * A stream that lasts until `close()`: what `connect()` answers. It has the shape of an EventSource, too.
 *
 * As an EventTarget it dispatches a `MessageEvent` with the text of each event, `open` whenever a stream stands, and `error`
 * whenever it does not any more. What these listeners throw is the platform's business: in Node it ends the process.
 */
export class Live<Events extends object = EventMap> extends EventTarget implements AsyncIterable<Received<Events>> {
  /** Of an EventSource: called for events without a name. */
  onmessage: ((event: MessageEvent) => unknown) | null = null
  onopen: ((event: Event) => unknown) | null = null
  onerror: ((event: Event) => unknown) | null = null

  readonly #env: Environment
  readonly #options: ConnectOptions
  readonly #connection: Connection
  readonly #inbox: Inbox
  readonly #loader: Loader | undefined
  readonly #listeners = new Map<string, Set<(data: unknown, about: About) => unknown>>()
  readonly #readers = new Set<Reader<Received>>()
  #isStuck = false

  /** @internal */
  constructor(env: Environment, settings: Settings, options: ConnectOptions) {
    super()
    this.#env = env
    this.#options = options
    const { since = '', load, events = [] } = options
    const names = new Set(['message', 'cursor', 'gap', 'goaway', 'heartbeat', ...events])
    this.#connection = new Connection(env, settings, since, names, {
      changed: () => this.#stateChanged(),
      began: () => this.#loader?.run({ reason: 'start' }),
      message: message => this.#take(message),
      failed: error => this.#failed(error),
    })
    this.#inbox = new Inbox({
      deliver: message => this.#deliver(message),
      full: () => this.#connection.pause(),
      empty: () => this.#goOn(),
    })
    if (load !== undefined) {
      this.#loader = new Loader(env, load, {
        hold: () => this.#inbox.hold(),
        include: cursor => this.#inbox.include(cursor),
        failed: error => this.#failed(error),
        stuck: isStuck => {
          if (this.#isStuck === isStuck) return
          this.#isStuck = isStuck
          this.#tell()
        },
      })
    }
    this.#connection.start()
  }

  get state(): State {
    return this.#isPaused ? 'paused' : this.#connection.state
  }

  /** Why it is in its state. */
  get reason(): Reason {
    return this.#isPaused ? 'load' : this.#connection.reason
  }

  /** The id that the next attempt resumes from; empty before there is one. */
  get lastEventId(): string {
    return this.#connection.lastId
  }

  /** Of an EventSource: 0 connecting, 1 open, 2 ended. */
  get readyState(): 0 | 1 | 2 {
    const { state } = this
    return state === 'open' ? 1 : state === 'ended' ? 2 : 0
  }

  /** The URL of the last attempt; empty before there was one. */
  get url(): string {
    return this.#connection.url
  }

  /**
   * Calls a listener with the data of each event of a name. One that throws or rejects harms no other: see `onError`.
   *
   * @returns a function that takes the listener away again
   */
  on<Name extends keyof All<Events> & string>(
    name: Name,
    listener: (data: All<Events>[Name], about: About) => unknown,
  ): () => void
  on(name: string, listener: (data: never, about: About) => unknown): () => void {
    const call = (data: unknown, about: About): unknown => listener(data as never, about)
    const listeners = this.#listeners.get(name) ?? new Set()
    this.#listeners.set(name, listeners.add(call))
    this.#connection.listen(name)
    return () => {
      listeners.delete(call)
    }
  }

  override addEventListener(...args: Parameters<EventTarget['addEventListener']>): void {
    super.addEventListener(...args)
    // These are its own, and those of the connection.
    if (args[0] !== 'open' && args[0] !== 'error') this.#connection.listen(args[0])
  }

  /**
   * Has the event not told that the page's own action publishes: the route answers its id in the header `Event-ID`, or several
   * ids with commas between. Given the request itself, events wait until it is answered, for 5 s at most: the event often
   * comes before the response.
   *
   *     ctx.set('Event-ID', await hub.publish('orders', { event: 'order.created', data: order }))  // in the route
   *     const response = await live.mine(fetch('/orders', { method: 'POST', body }))               // in the page
   *
   * To pages of other origins the header has to be exposed (`Access-Control-Expose-Headers`).
   *
   * @returns what was given
   * @throws what the request fails with, as a rejection
   */
  async mine<R extends { readonly headers: { get(name: string): string | null } }>(
    request: R | PromiseLike<R>,
  ): Promise<R> {
    const release = this.#inbox.hold()
    const cancel = this.#env.after(OWN_ACTION, release)
    try {
      const response = await request
      const ids = response.headers.get('event-id')?.split(/[\s,]+/) ?? []
      this.#inbox.skip(ids)
      return response
    } finally {
      cancel()
      release()
    }
  }

  /**
   * All events from now on, until the stream ends. At most 1,000 wait: the stream is paused then, and resumed from there.
   * With an EventSource only events that are listened to, or named in `events`.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Received<Events>, undefined>
  [Symbol.asyncIterator](): AsyncIterableIterator<Received, undefined> {
    const reader = new Reader<Received>({
      full: () => this.#connection.pause(),
      room: () => this.#goOn(),
      left: () => {
        this.#readers.delete(reader)
        this.#goOn()
      },
    })
    if (this.state === 'ended') reader.end()
    else this.#readers.add(reader)
    return reader
  }

  /** Ends it for good. Nothing is told after it. */
  close(): void {
    for (const reader of this.#readers) reader.clear()
    this.#inbox.clear()
    this.#connection.end('client')
  }

  #take(message: Message): void {
    if (message.event === 'gap') this.#gap(message.data)
    this.#inbox.take(message)
  }

  #gap(data: string): void {
    const gap = this.#parsed(data, 'gap', parseJson)
    if (isGap(gap)) this.#loader?.run(gap)
  }

  #deliver({ event, data, id }: Message): void {
    const about = { event, id }
    const isOurs = event === 'cursor' || event === 'goaway'
    const listeners = this.#listeners.get(event)
    if (listeners?.size || (this.#readers.size > 0 && !isOurs)) {
      const parse = isOurs || event === 'gap' ? parseJson : (this.#options.parse ?? parseJson)
      const value = this.#parsed(data, event, parse)
      for (const listener of [...(listeners ?? [])]) {
        if (this.#isClosed) return
        this.#call(() => listener(value, about))
      }
      if (!isOurs) for (const reader of this.#readers) reader.push({ event, data: value, id })
    }
    if (this.#isClosed) return
    const origin = this.url === '' ? '' : new URL(this.url).origin
    const dispatched = new MessageEvent(event, { data, lastEventId: id, origin })
    if (event === 'message') this.#call(() => this.onmessage?.(dispatched))
    this.dispatchEvent(dispatched)
  }

  // `close()` was called, by a listener it may be; an end by the server still lets through what came before it.
  get #isClosed(): boolean {
    return this.#connection.reason === 'client'
  }

  #parsed(data: string, event: string, parse: (data: string, event: string) => unknown): unknown {
    try {
      return parse(data, event)
    } catch (error) {
      this.#failed(error)
      return undefined
    }
  }

  #goOn(): void {
    if ([...this.#readers].every(reader => !reader.isFull)) this.#connection.resume()
  }

  #stateChanged(): void {
    if (this.state === 'ended') {
      this.#loader?.stop()
      for (const reader of this.#readers) reader.end()
    }
    this.#tell()
  }

  get #isPaused(): boolean {
    return this.#isStuck && this.#connection.state === 'open'
  }

  #tell(): void {
    const { state, reason } = this
    this.#call(() => this.#options.onState?.(state, reason))
    if (state === 'connecting' || state === 'paused') return
    const event = new Event(state === 'open' ? 'open' : 'error')
    this.#call(() => (state === 'open' ? this.onopen : this.onerror)?.(event))
    this.dispatchEvent(event)
  }

  // Whatever it fails with, at once or later, is nobody else's business.
  #call(listener: () => unknown): void {
    void (async () => listener())().catch((error: unknown) => this.#failed(error))
  }

  #failed(error: unknown): void {
    const { onError } = this.#options
    if (onError === undefined) {
      this.#env.report(error)
      return
    }
    void (async () => onError(error))().catch((failure: unknown) => this.#env.report(failure))
  }
}

function parseJson(data: string): unknown {
  if (data === '') return undefined
  try {
    return JSON.parse(data)
  } catch {
    return data
  }
}

function isGap(gap: unknown): gap is Gap {
  return typeof gap === 'object' && gap !== null && 'topics' in gap && Array.isArray(gap.topics) && 'reason' in gap
}
