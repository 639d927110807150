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
  /** The engine, of this hub alone. Default `memoryBroker()`, for one process. */
  broker?: Broker
  /**
   * The largest event, in bytes on the wire without its id. Where it is given, it may not exceed the `buffer.bytes` of a
   * route. Default 256 KiB, or the `buffer.bytes` of a route where that is less.
   */
  maxEventBytes?: number
  /**
   * Replaces what nobody is to see in the data of every event, whether it is published or sent to one stream, before it
   * is encoded: `redactor({ paths: ['*.password', 'card.number'] })` of `@pinojs/redact`, or a function of your own. It
   * gets a copy of the data as JSON makes it. Data that is a string is not looked into. If it throws, or answers a promise,
   * `undefined` or a function, nothing is sent: `ERR_EVENT_INVALID`. Default: none.
   */
  redact?: Redact
  /**
   * Milliseconds after which an instance that has died is known to be gone, 3,000 at least: no other one counts it any more.
   * All instances say the same. Default 10,000.
   */
  lease?: number
  /**
   * How who is present is told. `members`: the most that are listed in an event, from 0 to 1,000; of a larger crowd it says
   * the number alone. Default 100. `grace`: milliseconds that an identity is still present after the moment when its client was
   * told to come back, `retry` of the route, so that a reload or a reconnect is not seen. Default 2,000.
   */
  presence?: AudienceOptions
  /** Where time comes from. For tests. */
  clock?: Partial<Clock>
}

const taken = new WeakSet<Broker>()

/**
 * Makes a hub. `Events` maps event names to the types of their data, so that `publish` and `send` are checked.
 *
 * @throws {TypeError} for a wrong option
 */
export function createHub<Events extends object = EventMap>(options: HubOptions = {}): Hub<Events> {
  knownKeys('createHub', options, ['broker', 'maxEventBytes', 'redact', 'lease', 'presence', 'clock'])
  const clock = completeClock(options.clock)
  const broker = options.broker ?? memoryBroker({ clock })
  // An engine has one listener: the hub that had it before would hear of nothing any more.
  if (taken.has(broker)) throw new TypeError('`broker` belongs to another hub already')
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
  // The map exists at compile time only: it narrows what callers may pass to an engine that takes any event.
  return hub as Hub<Events>
}
