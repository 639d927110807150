import { fn, integer, knownKeys } from '../../options.ts'
import { formatPosition } from '../../wire/cursor.ts'
import type { EventInput, EventMap, Redact } from '../../wire/event.ts'
import { DEFAULT_MAX_EVENT_BYTES, encodePublication, type EventRules } from '../../wire/publication.ts'
import type { PublishOptions } from '../../wire/publish-options.ts'
import { Commands } from './commands.ts'
import { connectionsOf } from './connections.ts'
import { logNames } from './keys.ts'
import { Log } from './log.ts'
import { LogWriter } from '../replica/log-writer.ts'
import { checkRedisOptions, type RedisBrokerOptions } from './options.ts'

export interface PublisherOptions extends Omit<RedisBrokerOptions, 'watchdog'> {
  /** The largest event, in bytes on the wire without its id. Default 256 KiB. */
  maxEventBytes?: number
  /** As in `createHub()`. Default: none. */
  redact?: Redact
}

/** Publishes to a log, without streams. */
export interface Publisher<Events extends object = EventMap> {
  /**
   * Publishes an event to one or several topics under one id.
   *
   * @param options a `key`, to make a retry safe; a `traceparent`
   * @returns the event's id, or that of the first one with its key, once it is in history and sent to every listening
   *   instance
   * @throws {TypeError} as a rejection, for an invalid option
   * @throws {EventStreamError} as a rejection: `ERR_EVENT_INVALID`, `ERR_EVENT_TOO_LARGE`, `ERR_TOPIC_INVALID`; or
   *   `ERR_BROKER`: the event may be in history if Redis had already received it; with its `key` it can safely be
   *   published again
   */
  publish(topics: string | readonly string[], event: EventInput<Events>, options?: PublishOptions): Promise<string>
  close(): Promise<void>
}

const OPTIONS = ['client', 'name', 'history', 'timeout', 'maxPending', 'clock', 'maxEventBytes', 'redact'] as const

/**
 * For workers without Koa and streams: publishes to the log that `redisBroker()` reads.
 *
 * @throws {TypeError} for an invalid option
 */
export function createPublisher<Events extends object = EventMap>(options: PublisherOptions): Publisher<Events> {
  knownKeys('createPublisher', options, OPTIONS)
  const { maxEventBytes, redact, ...rest } = options
  const rules: EventRules = {
    maxEventBytes: integer('maxEventBytes', maxEventBytes, { min: 1, default: DEFAULT_MAX_EVENT_BYTES }),
    redact: redact === undefined ? undefined : fn('redact', redact),
  }
  const { client, name, policy, timeout, maxPending, clock } = checkRedisOptions('createPublisher', rest)
  const names = logNames(name)
  const connections = connectionsOf(client, names.log)
  const commands = new Commands(connections, timeout, maxPending, clock)
  const log = new Log(commands, names, policy, connections.command)
  const writer = new LogWriter(log, { maxPending, clock })
  commands.onLost(() => {
    writer.acknowledged.interrupted()
  })
  // A lost connection may mean a failover. If the check fails, the next publish or connection repeats it.
  const verify = (): void => {
    writer.verify().catch(() => undefined)
  }
  commands.client.on('ready', verify)
  return {
    publish: async (topics, event, options) => {
      const { topics: list, body, notes } = encodePublication(topics, event, rules, options)
      const { epoch, seq } = await writer.publish({ topics: list, body, ...notes })
      verify()
      return formatPosition(epoch, seq)
    },
    close: async () => {
      commands.close()
    },
  }
}
