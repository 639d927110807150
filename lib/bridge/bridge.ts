import { createHash } from 'node:crypto'
import { callAside, callInTime, callNow } from '../application.ts'
import { checkClient, type ClientOrUrl } from '../broker/redis/client.ts'
import { systemClock } from '../clock.ts'
import { EventStreamError } from '../errors.ts'
import { duration, fn, integer, knownKeys, text } from '../options.ts'
import type { EventInput } from '../wire/event.ts'
import { GroupReader, type ReadEntry, type StreamEntry } from './group-reader.ts'

/** The default of `claimAfter`, in milliseconds. */
export const DEFAULT_CLAIM_AFTER = 30_000

/** An event and its topics, read from an entry. */
export interface BridgedEvent {
  readonly topics: string | readonly string[]
  readonly event: EventInput
}

export interface BridgeOptions {
  /** A client of ioredis 5 or 6, whose settings are used except for `keyPrefix`; or a `redis://` or `rediss://` URL. */
  client: ClientOrUrl
  /** The key of the stream to read. */
  stream: string
  /** The consumer group. If missing, it is created at the stream's beginning. Default `koa-event-stream`. */
  group?: string
  /** Where to publish: a hub, or the result of `createPublisher()`. Each publish times out after `claimAfter`. */
  target: {
    /**
     * The `key` identifies the entry. A target that honours it, as these two do, publishes a redelivered entry only
     * once.
     */
    publish(topics: string | readonly string[], event: EventInput, options: { key: string }): Promise<string>
  }
  /**
   * Converts an entry to an event; `undefined` skips it. The default uses the fields `topic`, `event` and `data`, with
   * `data` sent as it is.
   */
  read?: (entry: StreamEntry) => BridgedEvent | undefined
  /** Entries per read. Default 100. */
  batch?: number
  /**
   * Milliseconds until an unacknowledged entry of another reader is claimed, and an inactive reader without pending
   * entries is removed. Set it to several times the duration of a publish. Default 30,000.
   */
  claimAfter?: number
  /**
   * Called for entries that can never be published: `read` threw, the event or a topic is invalid (`ERR_EVENT_INVALID`,
   * `ERR_EVENT_TOO_LARGE`, `ERR_TOPIC_INVALID`), or the entry was deleted before it was read. They are moved to the
   * stream `<stream>:rejected` (about the last 10,000), with the reason, and acknowledged, so that they do not block
   * the others.
   */
  onRejected?: (entry: StreamEntry, error: unknown) => void
  /**
   * Called for any error of Redis or the target, and if `read` returned a promise. The bridge retries every second
   * without limit.
   */
  onError?: (error: unknown) => void
}

/** A running bridge. */
export interface Bridge {
  /**
   * Stops reading. Resolves when the entries in progress have been published and acknowledged, or left to another
   * reader: at once if Redis is disconnected, within 5 seconds if it does not respond.
   */
  close(): Promise<void>
}

const OPTIONS = ['client', 'stream', 'group', 'target', 'read', 'batch', 'claimAfter', 'onRejected', 'onError'] as const
const PAUSE = 1_000
// Errors for which a retry is useless.
const HOPELESS: readonly unknown[] = ['ERR_EVENT_INVALID', 'ERR_EVENT_TOO_LARGE', 'ERR_TOPIC_INVALID']

/**
 * Publishes what other services, in any language, write to a Redis Stream by XADD. It reads through a consumer group
 * (Redis, "Redis Streams: consumer groups"): any number of bridges share the work and claim the entries of a crashed
 * one.
 *
 * Each entry is published once, also after a crash or a lost reply: it is acknowledged after the publish, whose key
 * consists of the names of stream and group and the entry's id, so that a retry within the history's age publishes
 * nothing. If several Redis servers with streams of one name feed a log, each needs its own group.
 *
 * One bridge publishes in the order of the stream, one entry after another, and retries an entry for as long as the
 * target fails. Several bridges keep the order of what each of them reads, not of the whole, and claimed entries are
 * published late: if order matters more than availability, run one.
 *
 * @throws {TypeError} for an invalid option
 */
export function bridgeStream(options: BridgeOptions): Bridge {
  const runner = new StreamBridge(options)
  const running = runner.run()
  return {
    close: async () => {
      runner.stop()
      await running
    },
  }
}

class StreamBridge {
  readonly #options: BridgeOptions
  readonly #read: (entry: StreamEntry) => BridgedEvent | undefined
  readonly #claimAfter: number
  readonly #keyPrefix: string
  readonly #reader: GroupReader
  #stopped = false
  #hasWarned = false
  #wake: () => void = () => undefined

  constructor(options: BridgeOptions) {
    knownKeys('bridgeStream', options, OPTIONS)
    fn('target.publish', (options.target as { publish?: BridgeOptions['target']['publish'] } | undefined)?.publish)
    for (const name of ['onRejected', 'onError'] as const) fn(name, options[name], () => undefined)
    this.#options = options
    const stream = text('stream', options.stream)
    const group = text('group', options.group, 'koa-event-stream')
    this.#keyPrefix = keyPrefix(stream, group)
    this.#read = fn('read', options.read, defaultRead)
    this.#claimAfter = duration('claimAfter', options.claimAfter, { default: DEFAULT_CLAIM_AFTER })
    this.#reader = new GroupReader({
      client: checkClient(options.client),
      stream,
      group,
      batch: integer('batch', options.batch, { min: 1, max: 10_000, default: 100 }),
      claimAfter: this.#claimAfter,
    })
  }

  stop(): void {
    this.#stopped = true
    this.#wake()
    this.#reader.interrupt()
  }

  async run(): Promise<void> {
    while (!this.#stopped) {
      try {
        await this.#reader.createGroup()
        await this.#rounds()
      } catch (error) {
        await this.#pauseAfter(error)
      }
    }
    await this.#reader.close()
  }

  async #rounds(): Promise<void> {
    while (!this.#stopped) await this.#publish(await this.#reader.next())
  }

  // Sequential: an entry that is being retried must not be overtaken by the next.
  async #publish(entries: readonly ReadEntry[]): Promise<void> {
    const begun = systemClock.now()
    const done: string[] = []
    try {
      for (const entry of entries) {
        // Other readers would claim entries held for long. The rest is read again, with a new idle time.
        if (systemClock.now() - begun > this.#claimAfter / 2) break
        await this.#publishOne(entry)
        done.push(entry.id)
      }
    } finally {
      await this.#reader.acknowledge(done, done.length === entries.length)
    }
  }

  async #publishOne({ id, fields }: ReadEntry): Promise<void> {
    const entry: StreamEntry = { id, fields: fields ?? {} }
    try {
      if (fields === undefined) throw new EventStreamError('ERR_EVENT_INVALID', 'the entry has been deleted')
      const bridged = this.#readEntry(entry)
      if (bridged !== undefined) await this.#publishTo(bridged, { key: this.#keyPrefix + id })
    } catch (error) {
      if (!isHopeless(error)) throw error
      await this.#reader.reject(entry, error.message)
      this.#tell('onRejected', () => this.#options.onRejected?.(entry, error))
    }
  }

  #readEntry(entry: StreamEntry): BridgedEvent | undefined {
    let bridged: BridgedEvent | undefined
    try {
      bridged = this.#read(entry)
    } catch (cause) {
      if (cause instanceof EventStreamError) throw cause
      const reason = cause instanceof Error ? cause.message : 'the entry could not be read'
      throw new EventStreamError('ERR_EVENT_INVALID', reason, { cause })
    }
    // A promise is a bug of the function: the entry is not rejected.
    const answer: unknown = callNow('`read`', () => bridged)
    if (answer === undefined || (typeof answer === 'object' && answer !== null)) return bridged
    throw new EventStreamError('ERR_EVENT_INVALID', '`read` must return an event with its topics, or `undefined`')
  }

  async #publishTo({ topics, event }: BridgedEvent, options: { key: string }): Promise<void> {
    const limit = { clock: systemClock, ms: this.#claimAfter, what: '`target.publish`' }
    await callInTime(limit, () => this.#options.target.publish(topics, event, options))
  }

  // A failing listener must stop neither the bridge nor the process.
  #tell(name: string, listener: () => void): void {
    callAside(listener, error => {
      if (this.#hasWarned) return
      this.#hasWarned = true
      const kind = error instanceof Error ? error.name : typeof error
      const message = `\`${name}\` of a bridge failed (${kind}). This warning is shown once.`
      process.emitWarning(message, { type: 'KoaEventStreamWarning', code: 'BRIDGE_LISTENER' })
    })
  }

  async #pauseAfter(error: unknown): Promise<void> {
    if (this.#stopped) return
    this.#tell('onError', () => this.#options.onError?.(error))
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, PAUSE)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

function isHopeless(error: unknown): error is EventStreamError {
  return error instanceof EventStreamError && HOPELESS.includes(error.code)
}

// Hashed, so that long names give a short key.
function keyPrefix(stream: string, group: string): string {
  const names = createHash('sha256')
    .update(JSON.stringify([stream, group]))
    .digest('base64url')
  return `bridge:${names}:`
}

function defaultRead({ fields: { topic, event, data } }: StreamEntry): BridgedEvent {
  if (topic === undefined) throw new EventStreamError('ERR_TOPIC_INVALID', 'the entry has no field `topic`')
  return { topics: topic, event: { ...(event !== undefined && { event }), ...(data !== undefined && { data }) } }
}
