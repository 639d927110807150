import type { Buffer } from 'node:buffer'
import type { Context } from 'koa'
import type { Identity } from '../auth/identity.ts'
import { Cohorts } from '../compression/cohorts.ts'
import { ConflationKeys, type ConflatedEvent } from '../hub/feed/conflation-keys.ts'
import type { IdentityLimit, StreamLimits } from '../hub/stream-index.ts'
import type { HubEngine } from '../hub/engine.ts'
import type { OverflowPolicy, StreamPolicy } from '../hub/stream-policy.ts'
import { duration, fn, integer, knownKeys, oneOf } from '../options.ts'
import type { EventStream } from '../stream/event-stream.ts'
import { Chunk } from '../wire/chunk.ts'
import { checkEventName, type EventMap } from '../wire/event.ts'
import { encodeComment, encodeEvent, encodeHeartbeat } from '../wire/frame.ts'
import { MAX_RETRY, MIN_RETRY } from '../wire/retry.ts'
import { checkAuthenticators, checkDoor, DEFAULT_TIMEOUT, type DoorConfig } from './door-config.ts'
import type { EventStreamOptions, IdentityLimitOption } from './options.ts'
import { checkOverload, type OverloadOption } from './overload.ts'
import { joinDesks } from './ticket-hub.ts'

/** The default interval of heartbeats, in milliseconds. */
export const DEFAULT_HEARTBEAT = 25_000
/** The default time until a client reconnects, in milliseconds before jitter. */
export const DEFAULT_RETRY = 3_000
/** The default limit of bytes buffered for a client: 1 MiB. */
export const DEFAULT_BUFFER_BYTES = 1_048_576
/** The default time for which a client may read nothing of what is buffered, in milliseconds. */
export const DEFAULT_STALL = 30_000
/** The default limit of streams of one identity. */
export const DEFAULT_IDENTITY_LIMIT = 20
/** The default limit of streams of one address. A company or a mobile network may be one address. */
export const DEFAULT_ADDRESS_LIMIT = 1_000
/** The default limit of streams of this process. */
export const DEFAULT_PROCESS_LIMIT = 50_000
/** The default limit of bytes buffered for all clients of this process: 512 MiB. */
export const DEFAULT_BUFFERED_LIMIT = 536_870_912
/** The least value of that limit: 1 MiB. */
export const MIN_BUFFERED_LIMIT = 1_048_576
/** The default limit of topics of one stream. */
export const DEFAULT_TOPIC_LIMIT = 100
/** The checked options of a stream's route. `timeout` is that of authentication, and then of the resolver. */
export interface RouteConfig extends DoorConfig {
  readonly subscribe: (stream: EventStream<EventMap, Identity | undefined>, ctx: Context) => unknown
  readonly policy: StreamPolicy
  /** The same for clients that ask for visible heartbeats. */
  readonly visiblePolicy: StreamPolicy
  readonly limits: StreamLimits
  readonly shared: { readonly identity: IdentityLimit | undefined }
  readonly overload: OverloadOption
}

const KEYS = [
  'hub',
  'authenticate',
  'subscribe',
  'heartbeat',
  'retry',
  'maxAge',
  'buffer',
  'compress',
  'limits',
  'origins',
  'requireSecure',
  'overload',
] as const

const LIMITS = ['identity', 'address', 'process', 'rate', 'shared', 'buffered', 'topics', 'timeout'] as const

/** Checks the options of a route, also against those of its hub. @throws {TypeError} that names the wrong one */
export function checkOptions<Events extends object>(options: EventStreamOptions<Events>): RouteConfig {
  knownKeys('eventStream', options, KEYS)
  const limits = options.limits ?? {}
  knownKeys('limits', limits, LIMITS)
  const door = checkDoor(options, {
    authenticators: checkAuthenticators(options.authenticate),
    timeout: duration('limits.timeout', limits.timeout, { default: DEFAULT_TIMEOUT }),
    route: 'stream',
  })
  const policy = checkPolicy(options, limits, door.hub)
  requireRoomForEvents(door.hub, policy)
  joinDesks(door)
  return Object.freeze({
    ...door,
    subscribe: fn('subscribe', options.subscribe) as RouteConfig['subscribe'],
    policy,
    visiblePolicy: visible(policy),
    limits: Object.freeze({
      identity: checkIdentityLimit('limits.identity', limits.identity ?? DEFAULT_IDENTITY_LIMIT),
      address: integer('limits.address', limits.address, { min: 1, default: DEFAULT_ADDRESS_LIMIT }),
      process: integer('limits.process', limits.process, { min: 1, default: DEFAULT_PROCESS_LIMIT }),
    }),
    shared: checkShared(limits.shared),
    overload: checkOverload(options.overload),
  })
}

function checkIdentityLimit(name: string, option: number | IdentityLimitOption): IdentityLimit {
  if (typeof option !== 'object') return Object.freeze({ most: integer(name, option, { min: 1 }), over: 'refuse' })
  knownKeys(name, option, ['most', 'over'])
  const { most, over } = option
  return Object.freeze({
    most: integer(`${name}.most`, most, { min: 1 }),
    over: oneOf(`${name}.over`, over, ['refuse', 'oldest'], 'refuse'),
  })
}

function checkShared(shared: { identity?: number | IdentityLimitOption } = {}): RouteConfig['shared'] {
  knownKeys('limits.shared', shared, ['identity'])
  const { identity } = shared
  return Object.freeze({
    identity: identity === undefined ? undefined : checkIdentityLimit('limits.shared.identity', identity),
  })
}

// Such an event would exceed the buffer of a waiting client, and cut it each time it reconnects.
function requireRoomForEvents(hub: HubEngine, { bufferBytes }: StreamPolicy): void {
  const { maxEventBytes, maxEventBytesGiven } = hub
  if (!maxEventBytesGiven || maxEventBytes <= bufferBytes) return
  throw new TypeError(
    `\`maxEventBytes\` of the hub (${String(maxEventBytes)}) must not exceed \`buffer.bytes\` (${String(bufferBytes)})`,
  )
}

function checkPolicy<Events extends object>(
  options: EventStreamOptions<Events>,
  limits: NonNullable<EventStreamOptions['limits']>,
  hub: HubEngine,
): StreamPolicy {
  const { heartbeat, retry, maxAge, buffer = {}, compress } = options
  knownKeys('buffer', buffer, ['bytes', 'policy', 'key', 'stall'])
  return Object.freeze({
    heartbeat: checkHeartbeat(heartbeat),
    isVisible: false,
    retry: duration('retry', retry, { min: MIN_RETRY, max: MAX_RETRY, default: DEFAULT_RETRY }),
    maxAge: maxAge === undefined ? undefined : duration('maxAge', maxAge, { min: 1_000 }),
    bufferBytes: integer('buffer.bytes', buffer.bytes, { min: 1_024, default: DEFAULT_BUFFER_BYTES }),
    overflow: checkOverflow(buffer),
    stall: duration('buffer.stall', buffer.stall, { min: 1_000, default: DEFAULT_STALL }),
    timeout: duration('limits.timeout', limits.timeout, { default: DEFAULT_TIMEOUT }),
    bufferedLimit: integer('limits.buffered', limits.buffered, {
      min: MIN_BUFFERED_LIMIT,
      default: DEFAULT_BUFFERED_LIMIT,
    }),
    maxTopics: integer('limits.topics', limits.topics, { min: 1, default: DEFAULT_TOPIC_LIMIT }),
    cohorts: oneOf('compress', compress, ['gzip', false], false) === 'gzip' ? new Cohorts(hub.registry) : undefined,
  })
}

function checkHeartbeat(heartbeat: EventStreamOptions['heartbeat']): StreamPolicy['heartbeat'] {
  if (heartbeat === false) return undefined
  if (typeof heartbeat === 'object') knownKeys('heartbeat', heartbeat, ['interval', 'event'])
  const { interval, event } = typeof heartbeat === 'object' ? heartbeat : { interval: heartbeat, event: undefined }
  return Object.freeze({
    interval: duration('heartbeat', interval, { min: 1_000, default: DEFAULT_HEARTBEAT }),
    chunk: Chunk.of(event === undefined ? encodeComment('') : heartbeatEvent(event)),
  })
}

function visible(policy: StreamPolicy): StreamPolicy {
  const { heartbeat } = policy
  if (heartbeat === undefined) return Object.freeze({ ...policy, isVisible: true })
  const { interval } = heartbeat
  const chunk = Chunk.of(encodeHeartbeat(interval))
  return Object.freeze({ ...policy, isVisible: true, heartbeat: Object.freeze({ interval, chunk }) })
}

function heartbeatEvent(name: string): Buffer {
  try {
    // `heartbeat` is reserved, so `checkEventName` would refuse it.
    return encodeEvent({ event: name === 'heartbeat' ? name : checkEventName(name), data: '', id: undefined })
  } catch (cause) {
    throw new TypeError('`heartbeat.event` must be an event name', { cause })
  }
}

function checkOverflow({ policy, key }: NonNullable<EventStreamOptions['buffer']>): OverflowPolicy {
  const kind = oneOf('buffer.policy', policy, ['disconnect', 'drop', 'conflate'], 'disconnect')
  if (kind === 'conflate') return Object.freeze({ kind, keys: new ConflationKeys(fn('buffer.key', key, nameOf)) })
  if (key !== undefined) throw new TypeError('`buffer.key` requires `buffer.policy: "conflate"`')
  return Object.freeze({ kind })
}

function nameOf({ event }: ConflatedEvent): string {
  return event
}
