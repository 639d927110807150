import type { EventMap } from '../wire/event.ts'
import type { About, All, Received } from './received.ts'
import type { Reason, State } from './reasons.ts'

/**
 * A stream that lasts until `close()`: the result of `connect()`. It also has the interface of an EventSource.
 *
 * As an EventTarget it dispatches a `MessageEvent` with the text of each event, `open` whenever a stream opens, and
 * `error` whenever it is lost. The platform handles errors of these listeners: in Node they end the process.
 */
export interface Live<Events extends object = EventMap> extends EventTarget, AsyncIterable<Received<Events>> {
  readonly state: State
  /** The reason for the state. */
  readonly reason: Reason
  /** The id that the next attempt resumes from; empty before the first. */
  readonly lastEventId: string
  /** The URL of the last attempt; empty before the first. */
  readonly url: string
  /** As in EventSource: 0 connecting, 1 open, 2 ended. */
  readonly readyState: 0 | 1 | 2
  /** As in EventSource: called for events without a name. */
  onmessage: ((event: MessageEvent) => unknown) | null
  onopen: ((event: Event) => unknown) | null
  onerror: ((event: Event) => unknown) | null

  /**
   * Calls a listener with the data of each event of a name. A listener that throws or rejects does not affect others:
   * see `onError`.
   *
   * @returns a function that removes the listener
   */
  on<Name extends keyof All<Events> & string>(
    name: Name,
    listener: (data: All<Events>[Name], about: About) => unknown,
  ): () => void

  /**
   * Suppresses the event published by the page's own action: the route returns its id in the header `Event-ID`, or
   * several ids separated by commas. If given the promise of the response, events are held until it arrives, for 5 s at
   * most: the event often arrives before the response.
   *
   *     ctx.set('Event-ID', await hub.publish('orders', { event: 'order.created', data: order }))  // in the route
   *     const response = await live.mine(fetch('/orders', { method: 'POST', body }))               // in the page
   *
   * For cross-origin pages the header must be exposed (`Access-Control-Expose-Headers`).
   *
   * @returns its argument
   * @throws the error of the request, as a rejection
   */
  mine<R extends { readonly headers: { get(name: string): string | null } }>(request: R | PromiseLike<R>): Promise<R>

  /**
   * All events from now on, until the stream ends. At most 1,000 are queued: then the stream is paused, and later
   * resumes at that position. With EventSource only events that have a listener, or are named in `events`.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Received<Events>>

  /** Ends the stream permanently. Nothing is delivered afterwards. */
  close(): void
}
