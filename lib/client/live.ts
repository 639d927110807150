import type { EventMap } from '../wire/event.ts'
import type { GapReason } from '../wire/notices.ts'
import { safely } from './bounded.ts'
import { createConnection, type Connection } from './connection.ts'
import type { Environment } from './environment.ts'
import { createInbox, type Inbox, type Message } from './inbox.ts'
import { createLoader } from './loader.ts'
import type { ConnectOptions, Settings } from './options.ts'
import { ownEvent, parseJson } from './own-event.ts'
import { createReader, type Reader } from './reader.ts'
import type { Reason, State } from './reasons.ts'
import type { About, All, Received } from './received.ts'

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
  readonly #connection: Connection
  readonly #inbox: Inbox
  readonly #failed: (error: unknown) => void
  readonly #readers = new Set<Reader<Received>>()
  // What is being told: the event, and its data as the application reads it.
  #told: Event | undefined
  #value: () => unknown = () => undefined
  #isStuck = false

  /** @internal */
  constructor(env: Environment, settings: Settings, options: ConnectOptions) {
    super()
    const { since = '', load, events = [], parse = parseJson, onState, onError = env.report } = options
    const failed = (error: unknown): void => safely(() => onError(error), env.report)
    const tell = (): void => {
      const { state, reason } = this
      safely(() => onState?.(state, reason), failed)
      if (state !== 'connecting' && state !== 'paused') this.dispatchEvent(new Event(state === 'open' ? state : 'error'))
    }
    this.#env = env
    this.#failed = failed
    for (const name of ['message', 'open', 'error'] as const) {
      super.addEventListener(name, event => safely(() => this[`on${name}`]?.(event as MessageEvent), failed))
    }
    const names = new Set(['message', 'cursor', 'gap', 'goaway', 'heartbeat', ...events])
    this.#connection = createConnection(env, settings, since, names, {
      changed: () => {
        if (this.state === 'ended') {
          loader?.stop()
          for (const reader of this.#readers) reader.end()
        }
        tell()
      },
      began: () => loader?.run({ reason: 'start' }),
      message: message => {
        if (message.event === 'gap') {
          const { topics, reason } = ownEvent(message.data)
          if (topics) loader?.run({ topics, reason: reason as GapReason })
        }
        this.#inbox.take(message)
      },
      failed,
    })
    this.#inbox = createInbox(message => this.#deliver(message, parse), this.#connection.pause, this.#goOn)
    const loader =
      load &&
      createLoader(env, load, this.#inbox, failed, isStuck => {
        if (this.#isStuck === isStuck) return
        this.#isStuck = isStuck
        tell()
      })
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
    const call = (event: Event): void => {
      if (event !== this.#told) return
      const about = { event: name, id: (event as MessageEvent).lastEventId }
      const value = this.#value()
      safely(() => listener(value as never, about), this.#failed)
    }
    this.addEventListener(name, call)
    return () => this.removeEventListener(name, call)
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
    const reader = createReader<Received>(this.#connection.pause, this.#goOn, () => {
      this.#readers.delete(reader)
      this.#goOn()
    })
    if (this.state === 'ended') reader.end()
    else this.#readers.add(reader)
    return reader.iterator
  }

  /** Ends it for good. Nothing is told after it. */
  close(): void {
    for (const reader of this.#readers) reader.clear()
    this.#inbox.clear()
    this.#told?.stopImmediatePropagation()
    this.#told = undefined
    this.#connection.end('client')
  }

  #deliver({ event, data, id }: Message, parse: NonNullable<ConnectOptions['parse']>): void {
    const isOurs = event === 'cursor' || event === 'goaway'
    const { origin } = new URL(this.url)
    const told = (this.#told = new MessageEvent(event, { data, lastEventId: id, origin }))
    this.#value = once(() => {
      try {
        return (isOurs || event === 'gap' ? parseJson : parse)(data, event)
      } catch (error) {
        this.#failed(error)
      }
    })
    this.dispatchEvent(told)
    // Unless a listener has closed it.
    if (told !== this.#told || isOurs) return
    for (const reader of this.#readers) reader.push({ event, data: this.#value(), id })
  }

  readonly #goOn = (): void => {
    for (const reader of this.#readers) if (reader.isFull()) return
    this.#connection.resume()
  }

  get #isPaused(): boolean {
    return this.#isStuck && this.#connection.state === 'open'
  }
}

function once<T>(make: () => T): () => T {
  let made: [T] | undefined
  return () => (made ??= [make()])[0]
}
