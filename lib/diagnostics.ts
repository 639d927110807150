import { channel, subscribe, tracingChannel, unsubscribe, type TracingChannel } from 'node:diagnostics_channel'

/**
 * Messages published through `node:diagnostics_channel`, for metrics and traces. No message is built for a channel
 * without subscribers. Channels are process-wide: each message names its hub.
 *
 * Messages contain topics, events and identities in the clear. What is derived from them and exported must not.
 */

/** An event written to streams. */
export interface Delivery {
  readonly event: {
    /** When it was published, in milliseconds since 1970 by the log's clock. */
    readonly at: number
    /** Headers set by the publisher, such as `traceparent`. */
    readonly headers?: Readonly<Record<string, string>>
  }
  /** The topics it was delivered by, possibly with further topics of the event. */
  readonly topics: readonly string[]
  /** The number of streams. */
  readonly streams: number
}

/** `koa-event-stream.delivery`: events have been written, live in a turn of the event loop or from history. */
export interface DeliveryMessage {
  readonly hub: object
  /** `true` for live events, `false` for events read from history. */
  readonly isLive: boolean
  /** The log's time after they had been written, in milliseconds since 1970. */
  readonly now: number
  readonly deliveries: readonly Delivery[]
}

/** `koa-event-stream.sent`: events of topics have been written to one stream. */
export interface SentMessage {
  readonly hub: object
  readonly stream: { readonly id: string; readonly identity: { readonly id: string } | undefined }
  readonly events: readonly {
    /** With its whole frame, as on the wire. */
    readonly event: { readonly at: number; readonly frame: Uint8Array }
    readonly topics: readonly string[]
  }[]
}

/** `koa-event-stream.refusal`: a request for a stream, a ticket or a guarded route was refused. */
export interface RefusalMessage {
  readonly hub: object
  readonly reason: string
  readonly status: number
  /** The identity, if it was known, and the channel had a subscriber when it became known. */
  readonly identity: { readonly id: string } | undefined
}

/** `koa-event-stream.arrival`: an event has arrived from the log, for topics that have a stream here. */
export interface ArrivalMessage {
  readonly hub: object
  readonly topics: readonly string[]
  /** Milliseconds since it was published, by the estimated clock of the log; never less than 0. */
  readonly lag: number
}

/** `koa-event-stream.first-byte`: the headers and the first bytes of a stream are sent. */
export interface FirstByteMessage {
  readonly hub: object
  readonly stream: object
  /** Milliseconds since the request reached the middleware. */
  readonly duration: number
}

/**
 * How a client's replay began:
 *
 * - `newcomer`: without a cursor
 * - `resumed`: from its cursor, without loss
 * - `gap`: with a gap: some events are no longer in the log
 * - `behind`: it read too slowly and has caught up
 */
export type ReplayKind = 'newcomer' | 'resumed' | 'gap' | 'behind'

/** `koa-event-stream.replay`: a client has caught up from history and is live. */
export interface ReplayMessage {
  readonly hub: object
  readonly stream: object
  readonly kind: ReplayKind
  /** Events read from history. */
  readonly events: number
  /** Milliseconds since the request reached the middleware, or since the client fell behind. */
  readonly duration: number
}

/**
 * `koa-event-stream.published`: this instance has put something in the log: an event that was published, a batch of a relay's
 * events, or the end of a relay's run.
 */
export interface PublishedMessage {
  readonly hub: object
  readonly topics: readonly string[]
}

/** `tracing:koa-event-stream.publish:*`: a call of `hub.publish()`. */
export interface PublishMessage {
  readonly hub: object
  /** As passed: not validated before `asyncEnd`. */
  readonly topics: string | readonly string[]
  /** As passed: neither validated before `asyncEnd` nor redacted. */
  readonly event: object
  /** A subscriber may set it during `start`; it then travels with the event. */
  traceparent?: string | undefined
  /** The event's id. */
  readonly result?: unknown
  readonly error?: unknown
}

/**
 * `tracing:koa-event-stream.open:*`: a request for a stream, until the stream is handed to Koa or the request is
 * refused.
 */
export interface OpenMessage {
  readonly hub: object
  /** Koa's context. */
  readonly ctx: object
  /** The stream, once it exists. */
  stream?: object | undefined
  /** Whether the stream has topics, and not only a source. */
  hasTopics?: boolean
  readonly error?: unknown
}

/**
 * `tracing:koa-event-stream.catch-up:*`: delivery is paused on all topics while possibly missed events are read from
 * the log.
 */
export interface CatchUpMessage {
  readonly hub: object
  /** The number of topics. */
  readonly topics: number
  readonly error?: unknown
}

/**
 * The messages by channel. `start`, `end`, `asyncStart`, `asyncEnd` and `error` are those of Node's `TracingChannel`.
 */
export interface ChannelMessages {
  'koa-event-stream.delivery': DeliveryMessage
  'koa-event-stream.sent': SentMessage
  'koa-event-stream.refusal': RefusalMessage
  'koa-event-stream.arrival': ArrivalMessage
  'koa-event-stream.published': PublishedMessage
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
export const PUBLISHED = channel('koa-event-stream.published')
export const FIRST_BYTE = channel('koa-event-stream.first-byte')
export const REPLAY = channel('koa-event-stream.replay')
export const PUBLISH: TracingChannel<unknown, PublishMessage> = tracingChannel('koa-event-stream.publish')
export const OPEN: TracingChannel<unknown, OpenMessage> = tracingChannel('koa-event-stream.open')
export const CATCH_UP: TracingChannel<unknown, CatchUpMessage> = tracingChannel('koa-event-stream.catch-up')

/**
 * Subscribes to a channel for one hub.
 *
 * @returns a function that unsubscribes
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
