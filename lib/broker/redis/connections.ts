import type { Buffer } from 'node:buffer'
import type { Cluster, Redis, RedisOptions } from 'ioredis'
import { systemClock } from '../../clock.ts'
import { within } from '../../deadline.ts'
import { isCluster, type PublishCommand, type Source } from './client.ts'

/** Makes the connections that a log needs, to a single Redis, by Sentinels, or to a Cluster. */
export interface Connections {
  readonly command: PublishCommand
  /** A connection for commands, which reconnects by itself. Nothing is queued or sent twice behind the caller's back. */
  commands(timeout: number): Redis | Cluster
  /** The address of the node of a Cluster that has the log, as far as it is known. It may change under a living connection. */
  owner(): string | undefined
  /**
   * A connection of one's own, connected, which does not reconnect: whoever holds it has to catch up anyway.
   *
   * @param signal gives it up while it is still being made
   */
  dedicated(timeout: number, signal: AbortSignal): Promise<Redis>
}

// A frozen Redis does not answer when a connection is ended, and neither the next one nor a shutdown should wait for it.
const DISCONNECT_TIMEOUT = 100

// What a client may be set to for its own use, and connections of this package may not.
const FOR_OURS = {
  // Channels have no prefix, and a script's channels are none of ioredis' business: with one, nobody would hear anything.
  keyPrefix: '',
  // Numbers are numbers, and what Redis answers has the same shape over both of its protocols.
  stringNumbers: false,
  replyMapping: 'legacy',
  // It rewrites errors, whose text we read.
  showFriendlyErrorStack: false,
  // A replica takes no publishes, and may not have heard yet that a token was revoked.
  role: 'master',
  readOnly: false,
  monitor: false,
  // Silence is no failure: a read may wait for entries, and every command has a deadline.
  socketTimeout: undefined,
  blockingTimeout: undefined,
  scripts: {},
  himportFieldsets: undefined,
  autoPipeliningIgnoredCommands: [],
  disconnectTimeout: DISCONNECT_TIMEOUT,
  autoResubscribe: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  reconnectOnError: null,
} satisfies RedisOptions

const DEDICATED = {
  ...FOR_OURS,
  lazyConnect: true,
  enableReadyCheck: false,
  enableOfflineQueue: true,
  enableAutoPipelining: false,
  commandTimeout: undefined,
  retryStrategy: () => null,
  sentinelRetryStrategy: () => null,
} satisfies RedisOptions

const LONGEST_PAUSE = 2_000

function pauseBefore(attempt: number): number {
  return Math.min(50 * 2 ** attempt, LONGEST_PAUSE) * (0.5 + systemClock.random())
}

const COMMANDS = {
  ...FOR_OURS,
  lazyConnect: false,
  enableReadyCheck: true,
  enableOfflineQueue: false,
  // One write to the socket for all commands of a turn of the event loop. Events to be published have been collected before:
  // they would only wait for another turn, and for the answer to what was sent in the one before.
  enableAutoPipelining: true,
  autoPipeliningIgnoredCommands: ['publishEvents'],
  // Never given up, whatever the client's own are set to.
  retryStrategy: pauseBefore,
  sentinelRetryStrategy: pauseBefore,
} satisfies RedisOptions

// Deadlines of every step. A frozen Sentinel accepts a connection and says nothing: the next one is asked in good time.
function deadlines(timeout: number): Pick<RedisOptions, 'connectTimeout' | 'sentinelCommandTimeout'> {
  return { connectTimeout: timeout, sentinelCommandTimeout: Math.max(1, Math.floor(timeout / 2)) }
}

export function connectionsOf(client: Source, key: string): Connections {
  return isCluster(client) ? new ClusterConnections(client, key) : new SingleConnections(client)
}

class SingleConnections implements Connections {
  readonly command = 'PUBLISH'
  readonly #client: Redis

  constructor(client: Redis) {
    this.#client = client
  }

  commands(timeout: number): Redis {
    return this.#client.duplicate({ ...COMMANDS, ...deadlines(timeout), commandTimeout: timeout })
  }

  owner(): undefined {
    // Behind a connection is one server.
  }

  async dedicated(timeout: number, signal: AbortSignal): Promise<Redis> {
    return connected(this.#client.duplicate({ ...DEDICATED, ...deadlines(timeout) }), timeout, signal)
  }
}

async function connected(client: Redis, timeout: number, signal: AbortSignal): Promise<Redis> {
  const reason = reasonOf(client)
  const giveUp = (): void => {
    client.disconnect()
  }
  signal.addEventListener('abort', giveUp, { once: true })
  // ioredis counts the time until TCP has a connection. What is behind it may have nothing to say.
  const steps = 2 + (client.options.sentinels?.length ?? 0)
  const late = (): Error => new Error(`Redis did not answer the greeting within ${String(timeout * steps)} ms`)
  try {
    if (signal.aborted) throw new Error('the connection to Redis was given up')
    await within(systemClock, timeout * steps, client.connect(), late)
    return client
  } catch (error) {
    client.disconnect()
    throw reason() ?? error
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}

/**
 * Why a connection came to nothing, of which ioredis often says no more than that it is closed. An error is told by an event.
 * What a Redis says that turns clients away ioredis takes for the answer to its greeting, and tells nobody.
 */
function reasonOf(client: Redis): () => unknown {
  let failure: unknown
  let refusal: Error | undefined
  // Without a listener ioredis prints errors.
  client.on('error', (error: unknown) => {
    failure = error
  })
  client.on('connect', () => {
    refusal = undefined
    client.stream.once('data', (bytes: Buffer) => {
      refusal = refusalIn(bytes)
    })
  })
  return () => refusal ?? failure
}

function refusalIn(bytes: Buffer): Error | undefined {
  const [, text] = /^-([^\r\n]+)/.exec(bytes.toString('latin1')) ?? []
  return text === undefined ? undefined : new Error(text)
}

/** Sharded Pub/Sub (Redis 7): a subscriber has to be connected to the master that has the log's slot. */
class ClusterConnections implements Connections {
  readonly command = 'SPUBLISH'
  readonly #source: Cluster
  readonly #key: string
  #cluster: Cluster | undefined
  #slot: number | undefined

  constructor(source: Cluster, key: string) {
    this.#source = source
    this.#key = key
  }

  commands(timeout: number): Cluster {
    const { redisOptions, ...options } = this.#source.options
    this.#cluster = this.#source.duplicate(undefined, {
      ...options,
      keyPrefix: '',
      showFriendlyErrorStack: false,
      scripts: {},
      himportFieldsets: undefined,
      shardedSubscribers: false,
      // A replica may not have heard yet that a token was revoked.
      scaleReads: 'master',
      // What was sent when a connection broke would be sent again otherwise, and be published twice.
      retryDelayOnFailover: 0,
      // It is tried for as long as the process lives.
      clusterRetryStrategy: pauseBefore,
      enableAutoPipelining: true,
      autoPipeliningIgnoredCommands: [],
      enableOfflineQueue: false,
      lazyConnect: false,
      redisOptions: { ...redisOptions, ...COMMANDS, ...deadlines(timeout), commandTimeout: timeout },
    })
    this.#cluster.on('ready', () => {
      this.#findSlot().catch(() => undefined)
    })
    return this.#cluster
  }

  owner(): string | undefined {
    return this.#slot === undefined ? undefined : this.#cluster?.slots[this.#slot]?.[0]
  }

  async dedicated(timeout: number, signal: AbortSignal): Promise<Redis> {
    const master = await this.#masterOfLog()
    return connected(master.duplicate({ ...DEDICATED, ...deadlines(timeout) }), timeout, signal)
  }

  async #masterOfLog(): Promise<Redis> {
    const cluster = this.#cluster
    if (cluster === undefined) throw new Error('no connection for commands has been made')
    await new Promise<void>((resolve, reject) => {
      cluster.refreshSlotsCache(error => {
        if (error == null) resolve()
        else reject(error)
      })
    })
    await this.#findSlot()
    const owner = this.owner()
    const master = cluster
      .nodes('master')
      .find(({ options: { host, port } }) => owner === `${String(host)}:${String(port)}`)
    if (master === undefined) throw new Error(`no master of the cluster has slot ${String(this.#slot)}`)
    return master
  }

  async #findSlot(): Promise<void> {
    this.#slot ??= await this.#cluster?.cluster('KEYSLOT', this.#key)
  }
}
