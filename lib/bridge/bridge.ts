import { createHash } from 'node:crypto'
import { callAside, callInTime, callNow } from '../application.ts'
import { checkClient, type ClientOrUrl } from '../broker/redis/client.ts'
import { systemClock } from '../clock.ts'
import { EventStreamError } from '../errors.ts'
import { duration, fn, integer, knownKeys, text } from '../options.ts'
import type { EventInput } from '../wire/event.ts'
import { GroupReader, type ReadEntry, type StreamEntry } from './group-reader.ts'

/** How long an entry may be with a reader before another one takes it over, unless told otherwise, in milliseconds. */
export const DEFAULT_CLAIM_AFTER = 30_000

/** What becomes of an entry. */
export interface BridgedEvent {
  readonly topics: string | readonly string[]
  readonly event: EventInput
}

export interface BridgeOptions {
  /** A client of ioredis 5 or 6, of which the settings are used, but no `keyPrefix`; or a `redis://` or `rediss://` URL. */
  client: ClientOrUrl
  /** The key of the stream to read. */
  stream: string
  /** The consumer group. It is created where it is missing, at the stream's beginning. Default `koa-event-stream`. */
  group?: string
  /** Where to publish: a hub, or what `createPublisher()` made. It has `claimAfter` for each entry. */
  target: {
    /** The `key` is the entry's own: whoever heeds it, as these two do, publishes an entry once however often it is given. */
    publish(topics: string | readonly string[], event: EventInput, options: { key: string }): Promise<string>
  }
  /**
   * Makes an event of an entry, or `undefined` for one that is none. The default takes the fields `topic`, `event` and
   * `data`, with `data` sent as it is.
   */
  read?: (entry: StreamEntry) => BridgedEvent | undefined
  /** Entries a round. Default 100. */
  batch?: number
  /**
   * Milliseconds until an entry that another reader has not acknowledged is taken over, and a reader that has none and has
   * not been heard of is removed. Several times what one publish may take. Default 30,000.
   */
  claimAfter?: number
  /**
   * Told of entries that can never be published: `read` threw, the event or a topic is not valid (`ERR_EVENT_INVALID`,
   * `ERR_EVENT_TOO_LARGE`, `ERR_TOPIC_INVALID`), or the entry was deleted before its turn. They are put into the stream `<stream>:rejected` (the last 10,000, about), with the reason, and
   * acknowledged, so that they do not hold up the others.
   */
  onRejected?: (entry: StreamEntry, error: unknown) => void
  /**
   * Told when Redis or the target failed, whatever the error, or `read` answered a promise. It is tried again a second later,
   * and as often as it takes.
   */
  onError?: (error: unknown) => void
}

/** A running bridge. */
export interface Bridge {
  /**
   * Stops reading. Resolves when the entries under way have been published and acknowledged, or were left to another
   * reader: at once where Redis is away, within 5 seconds where it does not answer.
   */
  close(): Promise<void>
}

const OPTIONS = ['client', 'stream', 'group', 'target', 'read', 'batch', 'claimAfter', 'onRejected', 'onError'] as const
const PAUSE = 1_000
// What no second attempt can help.
const HOPELESS: readonly unknown[] = ['ERR_EVENT_INVALID', 'ERR_EVENT_TOO_LARGE', 'ERR_TOPIC_INVALID']

/**
 * Publishes what other services write to a Redis Stream by XADD, in whatever language. It reads through a consumer group
 * (Redis, "Redis Streams: consumer groups"): any number of bridges share the work, and what a dead one has left is taken
 * over.
 *
 * Each entry is published once, also after a crash or an answer that was lost: it is acknowledged after it was published,
 * and published with a key made of the stream's name, the group's and the entry's id, so that a repetition within the age of
 * the history publishes nothing. A log that is fed from several Redis by streams of one name needs a group for each.
 *
 * One bridge publishes in the order of the stream, one entry after another, and waits at an entry for as long as the
 * target fails. Several bridges at once keep the order of what each of them reads, not of the whole, and what is taken
 * over from a dead one comes late: where order matters more than never standing still, run one.
 *
 * @throws {TypeError} for a wrong option
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

  // One after another, so that an entry that has to wait does not let the next one go first.
  async #publish(entries: readonly ReadEntry[]): Promise<void> {
    const begun = systemClock.now()
    const done: string[] = []
    try {
      for (const entry of entries) {
        // Others would take over what has been here for long. What is left is read again, and has a new time then.
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
      const reason = cause instanceof Error ? cause.message : 'it could not be read'
      throw new EventStreamError('ERR_EVENT_INVALID', reason, { cause })
    }
    // Of a promise the function is to blame, and not the entry.
    const answer: unknown = callNow('`read`', () => bridged)
    if (answer === undefined || (typeof answer === 'object' && answer !== null)) return bridged
    throw new EventStreamError('ERR_EVENT_INVALID', '`read` answered neither an event with its topics nor `undefined`')
  }

  async #publishTo({ topics, event }: BridgedEvent, options: { key: string }): Promise<void> {
    const limit = { clock: systemClock, ms: this.#claimAfter, what: '`target.publish`' }
    await callInTime(limit, () => this.#options.target.publish(topics, event, options))
  }

  // A listener that fails must not stop the bridge, nor the process.
  #tell(name: string, listener: () => void): void {
    callAside(listener, error => {
      if (this.#hasWarned) return
      this.#hasWarned = true
      const kind = error instanceof Error ? error.name : typeof error
      const message = `\`${name}\` of a bridge failed (${kind}). This is said once.`
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

// Short, whatever the names are.
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
