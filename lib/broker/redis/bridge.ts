import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import { EventStreamError } from '../../errors.ts'
import { duration, fn, integer, knownKeys, text } from '../../options.ts'
import type { EventInput } from '../../wire/event.ts'
import { connectionsOf, type ClientOrUrl } from './connections.ts'
import { checkClient } from './options.ts'

/** How long an entry may be with a reader before another one takes it over, unless told otherwise, in milliseconds. */
export const DEFAULT_CLAIM_AFTER = 30_000

/** An entry of a Redis Stream. */
export interface StreamEntry {
  readonly id: string
  readonly fields: Readonly<Record<string, string>>
}

/** What becomes of an entry. */
export interface BridgedEvent {
  readonly topics: string | readonly string[]
  readonly event: EventInput
}

export interface BridgeOptions {
  /** A client of ioredis 5, of which the settings are used, or a URL. On a Cluster the stream's key decides the node. */
  client: ClientOrUrl
  /** The key of the stream to read. */
  stream: string
  /** The consumer group. It is created where it is missing, at the stream's beginning. Default `koa-event-stream`. */
  group?: string
  /** Where to publish: a hub, or what `createPublisher()` made. */
  target: { publish(topics: string | readonly string[], event: EventInput): Promise<string> }
  /**
   * Makes an event of an entry, or `undefined` for one that is none. The default takes the fields `topic`, `event` and
   * `data`, with `data` sent as it is.
   */
  read?: (entry: StreamEntry) => BridgedEvent | undefined
  /** Entries a round. Default 100. */
  batch?: number
  /** Milliseconds until an entry that another reader has not acknowledged is taken over. Default 30,000. */
  claimAfter?: number
  /**
   * Told of entries that can never be published. They are put into the stream `<stream>:rejected`, with the reason, and
   * acknowledged, so that they do not hold up the others.
   */
  onRejected?: (entry: StreamEntry, error: unknown) => void
  /** Told when a round failed, of Redis or of the target. It is tried again. */
  onError?: (error: unknown) => void
}

/** A running bridge. */
export interface Bridge {
  /** Stops reading. Resolves when the entries under way have been published and acknowledged, or given up. */
  close(): Promise<void>
}

const OPTIONS = ['client', 'stream', 'group', 'target', 'read', 'batch', 'claimAfter', 'onRejected', 'onError'] as const
const TIMEOUT = 5_000
// How long a read waits for entries: as long as a close may have to wait, too.
const BLOCK = 1_000
const PAUSE = 1_000
// Rejected entries that are kept for somebody to look at, about.
const KEPT = 10_000

/**
 * Publishes what other services write to a Redis Stream by XADD, in whatever language. It reads through a consumer group
 * (Redis, "Redis Streams: consumer groups"): any number of bridges share the work, and what a dead one has left is taken
 * over.
 *
 * An entry is acknowledged after it was published. So each is published once in the normal run, and at least once after a
 * crash.
 *
 * @throws {TypeError} for a wrong option
 */
export function bridgeStream(options: BridgeOptions): Bridge {
  knownKeys('bridgeStream', options, OPTIONS)
  const reader = new BridgeReader(options)
  const running = reader.run()
  return {
    close: async () => {
      reader.stop()
      await running
    },
  }
}

class BridgeReader {
  readonly #options: BridgeOptions
  readonly #stream: string
  readonly #group: string
  readonly #consumer = randomUUID()
  readonly #read: (entry: StreamEntry) => BridgedEvent | undefined
  readonly #batch: number
  readonly #claimAfter: number
  #stopped = false
  #wake: () => void = () => undefined

  constructor(options: BridgeOptions) {
    this.#options = options
    checkClient(options.client)
    this.#stream = text('stream', options.stream)
    this.#group = text('group', options.group, 'koa-event-stream')
    fn('target.publish', (options.target as { publish?: BridgeOptions['target']['publish'] } | undefined)?.publish)
    this.#read = fn('read', options.read, defaultRead)
    this.#batch = integer('batch', options.batch, { min: 1, max: 10_000, default: 100 })
    this.#claimAfter = duration('claimAfter', options.claimAfter, { default: DEFAULT_CLAIM_AFTER })
  }

  stop(): void {
    this.#stopped = true
    this.#wake()
  }

  async run(): Promise<void> {
    while (!this.#stopped) {
      let redis: Redis | undefined
      try {
        redis = await connectionsOf(this.#options.client, this.#stream).subscriber(TIMEOUT)
        await this.#createGroup(redis)
        await this.#roundsOn(redis)
      } catch (error) {
        this.#options.onError?.(error)
        await this.#pause()
      } finally {
        redis?.disconnect()
      }
    }
  }

  async #roundsOn(redis: Redis): Promise<void> {
    while (!this.#stopped) await this.#round(redis)
  }

  async #createGroup(redis: Redis): Promise<void> {
    try {
      await redis.xgroup('CREATE', this.#stream, this.#group, '0', 'MKSTREAM')
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('BUSYGROUP'))) throw error
    }
  }

  // What others have left comes first: it is older.
  async #round(redis: Redis): Promise<void> {
    const claimed = await redis.xautoclaim(
      this.#stream,
      this.#group,
      this.#consumer,
      this.#claimAfter,
      '0',
      'COUNT',
      this.#batch,
    )
    const left = entriesOf(claimed[1])
    if (left.length > 0) {
      await this.#publish(redis, left)
      return
    }
    // `null` when nothing came, whatever the types say.
    const answer: unknown = await redis.xreadgroup(
      'GROUP',
      this.#group,
      this.#consumer,
      'COUNT',
      this.#batch,
      'BLOCK',
      BLOCK,
      'STREAMS',
      this.#stream,
      '>',
    )
    if (!Array.isArray(answer)) return
    for (const [, entries] of answer as [key: string, entries: unknown][]) {
      await this.#publish(redis, entriesOf(entries))
    }
  }

  // All at once, since publishing keeps the order of calls; each is acknowledged for itself.
  async #publish(redis: Redis, entries: readonly StreamEntry[]): Promise<void> {
    const results = await Promise.allSettled(entries.map(entry => this.#publishOne(redis, entry)))
    const failed = results.find(result => result.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }

  async #publishOne(redis: Redis, entry: StreamEntry): Promise<void> {
    try {
      const bridged = this.#read(entry)
      if (bridged !== undefined) await this.#options.target.publish(bridged.topics, bridged.event)
    } catch (error) {
      if (error instanceof EventStreamError && (error.code === 'ERR_BROKER' || error.code === 'ERR_HUB_CLOSED'))
        throw error
      await this.#reject(redis, entry, error)
    }
    await redis.xack(this.#stream, this.#group, entry.id)
  }

  async #reject(redis: Redis, entry: StreamEntry, error: unknown): Promise<void> {
    const reason = error instanceof Error ? error.message : 'it could not be read'
    const fields = Object.entries(entry.fields).flat()
    await redis.xadd(
      `${this.#stream}:rejected`,
      'MAXLEN',
      '~',
      KEPT,
      '*',
      'rejected',
      reason,
      'entry',
      entry.id,
      ...fields,
    )
    this.#options.onRejected?.(entry, error)
  }

  async #pause(): Promise<void> {
    if (this.#stopped) return
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, PAUSE)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

function defaultRead({ fields: { topic, event, data } }: StreamEntry): BridgedEvent {
  if (topic === undefined) throw new EventStreamError('ERR_TOPIC_INVALID', 'the entry has no field `topic`')
  return { topics: topic, event: { ...(event !== undefined && { event }), ...(data !== undefined && { data }) } }
}

function entriesOf(answer: unknown): StreamEntry[] {
  if (!Array.isArray(answer)) return []
  const entries: StreamEntry[] = []
  for (const entry of answer as [id: string, fields: string[] | null][]) {
    // An entry that was deleted while somebody had it is claimed without fields (Redis before 7).
    if (entry[1] === null) continue
    entries.push({ id: entry[0], fields: fieldsOf(entry[1]) })
  }
  return entries
}

function fieldsOf(list: readonly string[]): Record<string, string> {
  const pairs: [string, string][] = []
  for (let index = 0; index + 1 < list.length; index += 2) pairs.push([list[index] ?? '', list[index + 1] ?? ''])
  return Object.fromEntries(pairs)
}
