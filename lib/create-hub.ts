import type { Broker } from './broker/broker.ts'
import { memoryBroker } from './broker/memory/memory-broker.ts'
import { completeClock, type Clock } from './clock.ts'
import { HubEngine } from './hub/engine.ts'
import type { Hub } from './hub/hub.ts'
import { DEFAULT_LEASE, SHORTEST_LEASE } from './hub/instances.ts'
import { duration, fn, integer, knownKeys } from './options.ts'
import type { AudienceOptions } from './hub/presence/audience.ts'
import type { EventMap, Redact } from './wire/event.ts'
import { DEFAULT_MAX_EVENT_BYTES } from './wire/publication.ts'

export interface HubOptions {
  /** The broker, used by this hub only. Default `memoryBroker()`, for one process. */
  broker?: Broker
  /**
   * The largest event, in bytes on the wire without its id. If set, it may not exceed the `buffer.bytes` of a route.
   * Default 256 KiB, or the `buffer.bytes` of a route if that is less.
   */
  maxEventBytes?: number
  /**
   * Redacts the data of every event before it is encoded, whether published or sent to one stream:
   * `redactor({ paths: ['*.password', 'card.number'] })` of `@pinojs/redact`, or your own function. It gets a copy of
   * the data after a JSON round trip. Data that is a string is not parsed. If it throws, or returns a promise,
   * `undefined` or a function, nothing is sent: `ERR_EVENT_INVALID`. Default: none.
   */
  redact?: Redact
  /**
   * Milliseconds until the other instances consider a crashed instance gone and stop counting it; at least 3,000. The
   * same on all instances. Default 10,000.
   */
  lease?: number
  /**
   * Presence. `members`: the most that an event lists, from 0 to 1,000; for a larger crowd it has only the count.
   * Default 100. `grace`: milliseconds that an identity stays present after its client should have reconnected (`retry`
   * of the route), so that a reload or a reconnect is not reported. Default 2,000.
   */
  presence?: AudienceOptions
  /** Source of time. For tests. */
  clock?: Partial<Clock> | undefined
}

const taken = new WeakSet<Broker>()

/**
 * Creates a hub. `Events` maps event names to the types of their data, to type-check `publish` and `send`.
 *
 * @throws {TypeError} for an invalid option
 */
export function createHub<Events extends object = EventMap>(options: HubOptions = {}): Hub<Events> {
  knownKeys('createHub', options, ['broker', 'maxEventBytes', 'redact', 'lease', 'presence', 'clock'])
  const clock = completeClock(options.clock)
  const broker = options.broker ?? memoryBroker({ clock })
  // A broker has one listener: a second hub would silently disconnect the first.
  if (taken.has(broker)) throw new TypeError('`broker` is already used by another hub: create one broker per hub')
  taken.add(broker)
  const hub: Hub = new HubEngine({
    broker,
    clock,
    maxEventBytes: integer('maxEventBytes', options.maxEventBytes, { min: 1, default: DEFAULT_MAX_EVENT_BYTES }),
    maxEventBytesGiven: options.maxEventBytes !== undefined,
    redact: options.redact === undefined ? undefined : fn('redact', options.redact),
    lease: duration('lease', options.lease, { min: SHORTEST_LEASE, default: DEFAULT_LEASE }),
    presence: options.presence ?? {},
  })
  // The map exists at compile time only: it narrows the arguments of an engine that accepts any event.
  return hub as Hub<Events>
}
