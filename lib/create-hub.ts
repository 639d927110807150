import type { Broker } from './broker/broker.ts'
import { memoryBroker } from './broker/memory.ts'
import { systemClock, type Clock } from './clock.ts'
import { HubEngine, type Hub } from './hub/hub.ts'
import { integer, knownKeys } from './options.ts'
import type { EventMap } from './wire/event.ts'
import { DEFAULT_MAX_EVENT_BYTES } from './wire/publication.ts'

export interface HubOptions {
  /** The engine, of this hub alone. Default `memoryBroker()`, for one process. */
  broker?: Broker
  /** The largest event, in bytes on the wire without its id. Default 256 KiB. */
  maxEventBytes?: number
  /** Where time comes from. For tests. */
  clock?: Clock
}

const taken = new WeakSet<Broker>()

/**
 * Makes a hub. `Events` maps event names to the types of their data, so that `publish` and `send` are checked.
 *
 * @throws {TypeError} for a wrong option
 */
export function createHub<Events extends object = EventMap>(options: HubOptions = {}): Hub<Events> {
  knownKeys('createHub', options, ['broker', 'maxEventBytes', 'clock'])
  const clock = options.clock ?? systemClock
  const broker = options.broker ?? memoryBroker({ clock })
  // An engine has one listener: the hub that had it before would hear of nothing any more.
  if (taken.has(broker)) throw new TypeError('`broker` belongs to another hub already')
  taken.add(broker)
  const hub: Hub = new HubEngine({
    broker,
    clock,
    maxEventBytes: integer('maxEventBytes', options.maxEventBytes, { min: 1, default: DEFAULT_MAX_EVENT_BYTES }),
  })
  // The map exists at compile time only: it narrows what callers may pass to an engine that takes any event.
  return hub as Hub<Events>
}
