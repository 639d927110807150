import { channel, subscribe, tracingChannel, unsubscribe, type TracingChannel } from 'node:diagnostics_channel'

/**
 * What the library tells through `node:diagnostics_channel`, for metrics and traces. Nothing is put together for a channel
 * that nobody subscribes to. A channel is one of the whole process: each message says which hub it is of.
 *
 * Messages hold topics, events and identities as they are. What is made of them for others to read must not.
 */

/** An event that has been written to streams. */
export interface Delivery {
  readonly event: {
    /** When it was published, in milliseconds since 1970 by the log's own time. */
    readonly at: number
    /** What its publisher said of it, such as `traceparent`. */
    readonly headers?: Readonly<Record<string, string>>
  }
  /** Those of its topics by which it came, at least. */
  readonly topics: readonly string[]
  /** To how many streams. */
  readonly streams: number
}

/** `koa-event-stream.delivery`: events have been written, in a turn of the event loop or from history. */
export interface DeliveryMessage {
  readonly hub: object
  /** Whether they were handed on as they came; `false` for what was read from history. */
  readonly isLive: boolean
  /** The log's own time when they had been written, in milliseconds since 1970. */
  readonly now: number
  readonly deliveries: readonly Delivery[]
}

/** `koa-event-stream.sent`: events of topics have been written to one stream. */
export interface SentMessage {
  readonly hub: object
  readonly stream: { readonly id: string; readonly identity: { readonly id: string } | undefined }
  readonly events: readonly {
    /** With its whole frame, as it is on the wire. */
    readonly event: { readonly at: number; readonly frame: Uint8Array }
    readonly topics: readonly string[]
  }[]
}

/** `koa-event-stream.refusal`: a request got no stream, no ticket, or nothing behind a guard. */
export interface RefusalMessage {
  readonly hub: object
  readonly reason: string
  readonly status: number
  /** Who it was, where that was known already, and somebody subscribed when it became known. */
  readonly identity: { readonly id: string } | undefined
}

/** `koa-event-stream.arrival`: an event of topics that have a stream here has come from the log. */
export interface ArrivalMessage {
  readonly hub: object
  readonly topics: readonly string[]
  /** Milliseconds since it was published, by the log's own time as far as it is known here; never less than 0. */
  readonly lag: number
}

/** `koa-event-stream.first-byte`: a stream's head and first bytes go out. */
export interface FirstByteMessage {
  readonly hub: object
  readonly stream: object
  /** Milliseconds since the request reached the middleware. */
  readonly duration: number
}

/**
 * From where a client went on:
 *
 * - `newcomer`: it has no cursor
 * - `resumed`: from its cursor, and has missed nothing
 * - `gap`: it was told of events that are lost
 * - `behind`: it read too slowly, and has been brought up to date
 */
export type ReplayKind = 'newcomer' | 'resumed' | 'gap' | 'behind'

/** `koa-event-stream.replay`: a client has been brought up to date from history, and is live. */
export interface ReplayMessage {
  readonly hub: object
  readonly stream: object
  readonly kind: ReplayKind
  /** Events that were read from history. */
  readonly events: number
  /** Milliseconds since its request reached the middleware, or since it fell behind. */
  readonly duration: number
}

/** `tracing:koa-event-stream.publish:*`: a call of `hub.publish()`. */
export interface PublishMessage {
  readonly hub: object
  /** As they were given: not checked before `asyncEnd`. */
  readonly topics: string | readonly string[]
  /** As it was given: neither checked before `asyncEnd` nor redacted. */
  readonly event: object
  /** May be set while `start` is told, and then travels with the event. */
  traceparent?: string | undefined
  /** The event's id. */
  readonly result?: unknown
  readonly error?: unknown
}

/** `tracing:koa-event-stream.open:*`: a request for a stream, until that is handed to Koa or the request is answered. */
export interface OpenMessage {
  readonly hub: object
  /** Koa's. */
  readonly ctx: object
  /** The stream, once there is one. */
  stream?: object | undefined
  /** Whether that has topics, and not a source alone. */
  hasTopics?: boolean
  readonly error?: unknown
}

/** `tracing:koa-event-stream.catch-up:*`: all topics are held until what may have been missed has been read from the log. */
export interface CatchUpMessage {
  readonly hub: object
  /** How many there are. */
  readonly topics: number
  readonly error?: unknown
}

/** The messages by their channels. `start`, `end`, `asyncStart`, `asyncEnd` and `error` are those of a `TracingChannel` of Node. */
export interface ChannelMessages {
  'koa-event-stream.delivery': DeliveryMessage
  'koa-event-stream.sent': SentMessage
  'koa-event-stream.refusal': RefusalMessage
  'koa-event-stream.arrival': ArrivalMessage
  'koa-event-stream.first-byte': FirstByteMessage
  'koa-event-stream.replay': ReplayMessage
  'tracing:koa-event-stream.publish:start': PublishMessage
  'tracing:koa-event-stream.publish:asyncEnd': PublishMessage
  'tracing:koa-event-stream.open:start': OpenMessage
  'tracing:koa-event-stream.open:asyncEnd': OpenMessage
  'tracing:koa-event-stream.catch-up:start': CatchUpMessage
  'tracing:koa-event-stream.catch-up:asyncEnd': CatchUpMessage
}

export const DELIVERY = channel('koa-event-stream.delivery')
export const SENT = channel('koa-event-stream.sent')
export const REFUSAL = channel('koa-event-stream.refusal')
export const ARRIVAL = channel('koa-event-stream.arrival')
export const FIRST_BYTE = channel('koa-event-stream.first-byte')
export const REPLAY = channel('koa-event-stream.replay')
export const PUBLISH: TracingChannel<unknown, PublishMessage> = tracingChannel('koa-event-stream.publish')
export const OPEN: TracingChannel<unknown, OpenMessage> = tracingChannel('koa-event-stream.open')
export const CATCH_UP: TracingChannel<unknown, CatchUpMessage> = tracingChannel('koa-event-stream.catch-up')

/**
 * Subscribes to a channel for one hub.
 *
 * @returns ends it
 */
export function listenTo<Name extends keyof ChannelMessages>(
  hub: object,
  name: Name,
  listener: (message: ChannelMessages[Name]) => void,
): () => void {
  const own = (message: unknown): void => {
    const told = message as ChannelMessages[Name]
    if (told.hub === hub) listener(told)
  }
  subscribe(name, own)
  return () => {
    unsubscribe(name, own)
  }
}
