import type { EventMap } from '../wire/event.ts'
import type { About, All, Received } from './received.ts'
import type { Reason, State } from './reasons.ts'

/**
 * A stream that lasts until `close()`: what `connect()` answers. It has the shape of an EventSource, too.
 *
 * As an EventTarget it dispatches a `MessageEvent` with the text of each event, `open` whenever a stream stands, and `error`
 * whenever it does not any more. What these listeners throw is the platform's business: in Node it ends the process.
 */
export interface Live<Events extends object = EventMap> extends EventTarget, AsyncIterable<Received<Events>> {
  readonly state: State
  /** Why it is in its state. */
  readonly reason: Reason
  /** The id that the next attempt resumes from; empty before there is one. */
  readonly lastEventId: string
  /** The URL of the last attempt; empty before there was one. */
  readonly url: string
  /** Of an EventSource: 0 connecting, 1 open, 2 ended. */
  readonly readyState: 0 | 1 | 2
  /** Of an EventSource: called for events without a name. */
  onmessage: ((event: MessageEvent) => unknown) | null
  onopen: ((event: Event) => unknown) | null
  onerror: ((event: Event) => unknown) | null

  /**
   * Calls a listener with the data of each event of a name. One that throws or rejects harms no other: see `onError`.
   *
   * @returns a function that takes the listener away again
   */
  on<Name extends keyof All<Events> & string>(
    name: Name,
    listener: (data: All<Events>[Name], about: About) => unknown,
  ): () => void

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
  mine<R extends { readonly headers: { get(name: string): string | null } }>(request: R | PromiseLike<R>): Promise<R>

  /**
   * All events from now on, until the stream ends. At most 1,000 wait: the stream is paused then, and resumed from there.
   * With an EventSource only events that are listened to, or named in `events`.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Received<Events>>

  /** Ends it for good. Nothing is told after it. */
  close(): void
}
