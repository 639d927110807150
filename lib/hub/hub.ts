import type { EventEmitter } from 'node:events'
import type { RequestedCloseReason } from '../stream/close-reason.ts'
import type { EventInput, EventMap } from '../wire/event.ts'
import type { PublishOptions } from '../wire/publish-options.ts'
import type { HubEvents, HubStats } from './lifecycle.ts'
import type { Presence } from './presence/state.ts'
import type { ClosableServer } from './shutdown.ts'
import type { StreamFilter } from './stream-index.ts'
import type { SubscriptionFilter, SubscriptionOptions, SubscriptionOutcome } from './subscription-change.ts'

/**
 * Topics, publishing and live streams. Made by `createHub()`.
 *
 * A listener of its events that throws or rejects harms nobody else: it is a `fault` (`during: 'listener of \`open\`'`).
 * The first `fault`, `lost` or `refuse` that nobody listens to is a warning of the process, as is a listener of `fault`
 * that fails: `KoaEventStreamWarning`, with the codes `UNHEARD_FAULT`, `UNHEARD_LOST`, `UNHEARD_REFUSE` and
 * `FAULT_LISTENER`.
 */
export interface Hub<Events extends object = EventMap> extends EventEmitter<HubEvents> {
  /**
   * Publishes an event to one topic or to several under one id; a stream with more than one of them gets it once.
   *
   * @param options a `key`, with which it may safely be repeated; a `traceparent`
   * @returns the event's id, or that of the first one with its key, once it is in history and handed to every instance that
   *   listens
   * @throws {TypeError} as a rejection, for a wrong option: a `key` that is not a string of 1 to 256 bytes
   * @throws {EventStreamError} as a rejection, and then nothing was published: `ERR_EVENT_INVALID`, `ERR_EVENT_TOO_LARGE`,
   *   `ERR_TOPIC_INVALID`, `ERR_HUB_CLOSED`; or `ERR_BROKER`, after which the event may be in history if a remote broker had
   *   got it already: with its `key` it may be published again
   */
  publish(topics: string | readonly string[], event: EventInput<Events>, options?: PublishOptions): Promise<string>

  /**
   * Adds topics to the streams that fit all that is given, on every instance; those included whose resolver is still being
   * asked. A stream that comes back gets what its resolver answers then. Streams that carry a source and no topics, such as
   * those of a relay, and those whose events have ids of their own, are passed over.
   *
   * A stream that cannot have the topics gets none of them, which is told as a `fault` (`during: 'hub.subscribe'`), and does
   * not count: it would have more than `limits.topics`, or they were taken from it by an `unsubscribe` that this call did
   * not know of yet.
   *
   * @param topics at most 100
   * @param options.within milliseconds that other instances have for their answers. Default 2,000.
   * @returns once the topics are live: how many streams have them, the cursor from which on they do, and whether all
   *   instances have answered
   * @throws {TypeError} as a rejection, if no stream, identity or session is given; for what is not a string, or has more than
   *   1,024 characters; for no topics, or too many; for a `within` that is no duration
   * @throws {EventStreamError} as a rejection: `ERR_TOPIC_INVALID`; `ERR_BROKER`, and then some streams may have the topics;
   *   `ERR_HUB_CLOSED`
   */
  subscribe(
    filter: SubscriptionFilter,
    topics: string | readonly string[],
    options?: SubscriptionOptions,
  ): Promise<SubscriptionOutcome>

  /**
   * Takes topics from the streams that fit all that is given, on every instance, at once: nothing of theirs leaves the process
   * any more, as with `stream.unsubscribe()`. A stream whose resolver is still being asked opens without them, whatever that
   * answers: it may have read the rights before they changed. So change what the resolver reads first, and then call this.
   *
   * Where an instance may have missed such a call it ends its streams (`unverifiable`), and clients come back to their resolver.
   *
   * @param topics at most 100. Those that a stream does not have are ignored.
   * @param options.within milliseconds that other instances have for their answers. Default 2,000.
   * @returns how many streams were found, and whether all instances have answered: then nothing that is published from now on
   *   reaches these streams by these topics
   * @throws {TypeError} as a rejection, as `subscribe`
   * @throws {EventStreamError} as a rejection: `ERR_TOPIC_INVALID`; `ERR_BROKER`, and then the streams of this instance have
   *   lost the topics all the same; `ERR_HUB_CLOSED`
   */
  unsubscribe(
    filter: SubscriptionFilter,
    topics: string | readonly string[],
    options?: SubscriptionOptions,
  ): Promise<SubscriptionOutcome>

  /**
   * Closes the streams that fit all that is given, on every instance, and turns away the requests for one that are on their
   * way. Clients come back on their own unless they are refused then.
   *
   * @param reason what `close` listeners are told. Default `server`.
   * @throws {TypeError} as a rejection, for what is not a string, and if nothing is given: that would be everybody
   * @throws {EventStreamError} as a rejection: `ERR_BROKER`, and then the streams of this instance are closed all the
   *   same; `ERR_HUB_CLOSED`
   */
  disconnect(filter: StreamFilter, reason?: RequestedCloseReason): Promise<void>

  /**
   * Refuses a token from now on, and closes its streams, on every instance.
   *
   * @param token the token's `jti`
   * @param expiry when the token expires by itself, in milliseconds since 1970 or as a date: it is remembered until then
   * @throws {TypeError} as a rejection, for a wrong `token` or `expiry`, such as an `exp` in seconds
   * @throws {EventStreamError} as a rejection: `ERR_BROKER`, and then the streams of this instance are closed, and the
   *   message says whether those of others are, but the token is good for new ones; `ERR_HUB_CLOSED`
   */
  revoke(token: string, expiry: number | Date): Promise<void>

  /**
   * Whether the hub takes streams and publishes: the broker can do its work just now, reading and writing, as `ready` and
   * `lost` tell, and the hub is neither draining nor closed. For health checks.
   */
  readonly ready: boolean

  /**
   * Whether a token has been revoked, for routes that are no streams.
   *
   * @throws {EventStreamError} `ERR_BROKER` as a rejection, when nobody can tell just now
   */
  isRevoked(token: string): Promise<boolean>

  /**
   * Where the log stands, as an id. A page that is rendered now and opens its stream with `?lastEventId=` and this id
   * misses nothing that is published in between. Empty, as of a newcomer, while this instance has not seen the log yet.
   *
   * @throws {EventStreamError} `ERR_BROKER` as a rejection, when nobody can tell just now
   */
  cursor(): Promise<string>

  /**
   * Who is present at a topic, over all instances: the identities of the streams whose resolver has answered
   * `{ topic, presence }`, each once. An instance that died is counted until its lease has ended.
   *
   * @param options.most how many members are answered at most, from 0 to 10,000: of a larger crowd some. Default 100.
   * @throws {TypeError} as a rejection, for a wrong `most`
   * @throws {EventStreamError} as a rejection: `ERR_TOPIC_INVALID`; `ERR_BROKER`, when nobody can tell just now;
   *   `ERR_HUB_CLOSED`
   */
  presence(topic: string, options?: { most?: number }): Promise<Presence>

  /**
   * How many identities are present at a topic, as `presence()` counts them. It costs the same however many they are.
   *
   * @throws {EventStreamError} as a rejection: `ERR_TOPIC_INVALID`; `ERR_BROKER`, when nobody can tell just now;
   *   `ERR_HUB_CLOSED`
   */
  occupancy(topic: string): Promise<number>

  /**
   * Ends all streams and takes no new ones, for a shutdown. Each client is told to come back at a random time within
   * the window. Calling it again waits for the same end.
   *
   * @param options.within milliseconds until the last stream is cut. Default 10,000.
   * @throws {TypeError} as a rejection, for a `within` that is no duration
   */
  drain(options?: { within?: number }): Promise<void>

  /** Cuts all streams, those of a drain that is under way included, and closes the broker. */
  close(): Promise<void>

  /**
   * Ends everything for the end of the process: drains, closes the server, its idle connections at once and whatever is left
   * when the time is over, and closes the hub. Calling it again waits for the same end.
   *
   *     const server = app.listen(3000)
   *     process.once('SIGTERM', () => void hub.shutdown(server, { within: 8_000 }))
   *
   * Let it be less than the time that your platform allows. A server that has no `closeAllConnections()`, such as one of
   * HTTP/2, cannot be made to cut connections: what is left there is told as a `fault`, and nobody waits for it.
   *
   * @param server what `app.listen()` answers, or a server of `node:net`, `node:http`, `node:https` or `node:http2`
   * @param options.within milliseconds for all of it. Default 10,000.
   * @throws {TypeError} as a rejection, for what is no server, and for a `within` that is no duration
   */
  shutdown(server: ClosableServer, options?: { within?: number }): Promise<void>

  /** Counters and gauges. It costs the same however many streams and topics there are. */
  stats(): HubStats
}
