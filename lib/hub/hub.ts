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
 * Topics, publishing and live streams. Created by `createHub()`.
 *
 * If a listener of its events throws or rejects, nothing else is affected: the error is emitted as a `fault`, with
 * `during: 'listener of \`open\`'`. The first `fault`, `lost` or `refuse` without a listener causes a process warning,
 * as does a `fault` listener that fails: `KoaEventStreamWarning`, with the codes `UNHEARD_FAULT`, `UNHEARD_LOST`,
 * `UNHEARD_REFUSE` and `FAULT_LISTENER`.
 */
export interface Hub<Events extends object = EventMap> extends EventEmitter<HubEvents> {
  /**
   * Publishes an event to one or more topics under one id; a stream with more than one of them gets it once.
   *
   * @param options a `key`, which makes a retry safe (idempotent publishing); a `traceparent`
   * @returns the event's id, or that of the first one with its key, once it is in history and sent to every subscribed
   *   instance
   * @throws {TypeError} as a rejection, for an invalid option: a `key` that is not a string of 1 to 256 bytes
   * @throws {EventStreamError} as a rejection. Nothing was published: `ERR_EVENT_INVALID`, `ERR_EVENT_TOO_LARGE`,
   *   `ERR_TOPIC_INVALID`, `ERR_HUB_CLOSED`. `ERR_BROKER`: a remote broker may have stored the event; it is safe to
   *   publish it again with the same `key`
   */
  publish(topics: string | readonly string[], event: EventInput<Events>, options?: PublishOptions): Promise<string>

  /**
   * Adds topics to the matching streams of all instances, including streams whose resolver is still running. All given
   * fields of the filter must match. The change lasts as long as the stream: when its client reconnects, the resolver
   * decides again. Streams of a source without topics, such as those of a relay, and streams whose events have their
   * own ids are skipped.
   *
   * A stream that cannot get all of the topics gets none of them and is not counted: it would exceed `limits.topics`
   * (emitted as a `fault`, `during: 'hub.subscribe'`), or a concurrent `unsubscribe` removed them.
   *
   * @param topics at most 100
   * @param options.within milliseconds to wait for the answers of other instances. Default 2,000.
   * @returns once the topics are live: how many streams have them, the cursor from which they are live, and whether all
   *   instances have answered
   * @throws {TypeError} as a rejection, if no stream, identity or session is given; if one is not a string, or is
   *   longer than 1,024 characters; for no topics or too many; for an invalid `within`
   * @throws {EventStreamError} as a rejection: `ERR_TOPIC_INVALID`; `ERR_BROKER`: some streams may have the topics;
   *   `ERR_HUB_CLOSED`
   */
  subscribe(
    filter: SubscriptionFilter,
    topics: string | readonly string[],
    options?: SubscriptionOptions,
  ): Promise<SubscriptionOutcome>

  /**
   * Removes topics from the matching streams of all instances immediately, including their buffered events, as
   * `stream.unsubscribe()` does. All given fields of the filter must match. A stream whose resolver is still running
   * opens without them, whatever the resolver returns: it may have read the permissions before they changed. So first
   * change what the resolver reads, then call this.
   *
   * An instance that may have missed such a call ends its streams (`unverifiable`); clients reconnect and their
   * resolvers decide again.
   *
   * @param topics at most 100. Topics that a stream does not have are ignored.
   * @param options.within milliseconds to wait for the answers of other instances. Default 2,000.
   * @returns how many streams were found, and whether all instances have answered: if so, nothing published from now on
   *   reaches these streams by these topics
   * @throws {TypeError} as a rejection, as `subscribe`
   * @throws {EventStreamError} as a rejection: `ERR_TOPIC_INVALID`; `ERR_BROKER`: the streams of this instance have
   *   lost the topics all the same; `ERR_HUB_CLOSED`
   */
  unsubscribe(
    filter: SubscriptionFilter,
    topics: string | readonly string[],
    options?: SubscriptionOptions,
  ): Promise<SubscriptionOutcome>

  /**
   * Closes the matching streams of all instances, and refuses matching requests already in progress. All given fields
   * of the filter must match. Clients reconnect by themselves, so the next request must be refused if they are to stay
   * out.
   *
   * @param reason the `reason` of the `close` event. Default `server`.
   * @throws {TypeError} as a rejection, if a field is not a string, or none is given: an empty filter would match
   *   everybody
   * @throws {EventStreamError} as a rejection: `ERR_BROKER`: the streams of this instance are closed all the same;
   *   `ERR_HUB_CLOSED`
   */
  disconnect(filter: StreamFilter, reason?: RequestedCloseReason): Promise<void>

  /**
   * Revokes a token: refuses it from now on and closes its streams, on all instances.
   *
   * @param token the token's `jti`
   * @param expiry when the token expires, in milliseconds since 1970 or as a `Date`: the revocation is stored until
   *   then
   * @throws {TypeError} as a rejection, for an invalid `token` or `expiry`, such as an `exp` in seconds
   * @throws {EventStreamError} as a rejection: `ERR_BROKER`: the streams of this instance are closed, and the message
   *   says whether those of others are, but the token can still open new ones; `ERR_HUB_CLOSED`
   */
  revoke(token: string, expiry: number | Date): Promise<void>

  /**
   * Whether the hub accepts streams and publishes: the broker can read and write now (see the events `ready` and
   * `lost`), and the hub is neither draining nor closed. For health checks.
   */
  readonly ready: boolean

  /**
   * Whether a token has been revoked, for other routes than streams.
   *
   * @throws {EventStreamError} `ERR_BROKER`, as a rejection: the store is unavailable
   */
  isRevoked(token: string): Promise<boolean>

  /**
   * The current end of the log, as an event id. A page rendered now that opens its stream with `?lastEventId=` and this
   * id misses nothing published in between. Empty, as for a new client, while this instance has not seen the log yet.
   *
   * @throws {EventStreamError} `ERR_BROKER`, as a rejection: the log is unavailable
   */
  cursor(): Promise<string>

  /**
   * Who is present at a topic, on all instances: the identities of the streams whose resolver returned
   * `{ topic, presence }`, without duplicates. Those of a crashed instance are included until its lease has expired.
   *
   * @param options.most the most members returned, from 0 to 10,000; if more are present, only some are. Default 100.
   * @throws {TypeError} as a rejection, for an invalid `most`
   * @throws {EventStreamError} as a rejection: `ERR_TOPIC_INVALID`; `ERR_BROKER`: the roster is unavailable;
   *   `ERR_HUB_CLOSED`
   */
  presence(topic: string, options?: { most?: number }): Promise<Presence>

  /**
   * The number of identities present at a topic, as counted by `presence()`. Its cost does not depend on the number.
   *
   * @throws {EventStreamError} as a rejection: `ERR_TOPIC_INVALID`; `ERR_BROKER`: the roster is unavailable;
   *   `ERR_HUB_CLOSED`
   */
  occupancy(topic: string): Promise<number>

  /**
   * Ends all streams and accepts no new ones, for a shutdown. Each client is told to reconnect at a random time within
   * the window. Further calls wait for the same drain.
   *
   * @param options.within milliseconds until the remaining streams are cut. Default 10,000.
   * @throws {TypeError} as a rejection, for an invalid `within`
   */
  drain(options?: { within?: number }): Promise<void>

  /** Cuts all streams, also during a drain, and closes the broker. */
  close(): Promise<void>

  /**
   * Shuts down for the end of the process: drains, then closes the server (idle connections immediately, the others
   * when the time is over), then closes the hub. Further calls wait for the same shutdown.
   *
   *     const server = app.listen(3000)
   *     process.once('SIGTERM', () => void hub.shutdown(server, { within: 8_000 }))
   *
   * `within` must be less than the time your platform allows. A server without `closeAllConnections()`, such as one of
   * HTTP/2, cannot cut connections: if some remain, a `fault` is emitted and they are not waited for.
   *
   * @param server the result of `app.listen()`, or a server of `node:net`, `node:http`, `node:https` or `node:http2`
   * @param options.within milliseconds for the whole shutdown. Default 10,000.
   * @throws {TypeError} as a rejection, for an invalid server or `within`
   */
  shutdown(server: ClosableServer, options?: { within?: number }): Promise<void>

  /** Counters and gauges. Its cost does not depend on the number of streams and topics. */
  stats(): HubStats
}
