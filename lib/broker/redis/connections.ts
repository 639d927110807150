import { Cluster, Redis, type RedisOptions } from 'ioredis'
import { systemClock } from '../../clock.ts'
import type { PublishCommand } from './log.ts'

/**
 * A client of ioredis, of which only the settings are used, and not its `keyPrefix`; or a `redis://` or `rediss://` URL.
 */
export type ClientOrUrl = Redis | Cluster | string

/** Makes the connections that a log needs, to a single Redis, by Sentinels, or to a Cluster. */
export interface Connections {
  readonly command: PublishCommand
  /** A connection for commands, which reconnects by itself. Nothing is queued or sent twice behind the caller's back. */
  commands(timeout: number): Redis | Cluster
  /** A connection of one's own, connected, which does not reconnect: whoever holds it has to catch up anyway. */
  dedicated(timeout: number): Promise<Redis>
}

// A frozen Redis does not answer when a connection is ended, and neither the next one nor a shutdown should wait for it.
const DISCONNECT_TIMEOUT = 100

// Whatever the application's own client is for, ours is for this.
const OURS: RedisOptions = {
  // Channels have no prefix, and a script's channels are none of ioredis' business: with one, nobody would hear anything.
  keyPrefix: '',
  stringNumbers: false,
  // It rewrites errors, whose text we read.
  showFriendlyErrorStack: false,
  disconnectTimeout: DISCONNECT_TIMEOUT,
  autoResubscribe: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  // A subscriber hears nothing for long, and we look after it ourselves.
  socketTimeout: undefined,
  blockingTimeout: undefined,
  autoPipeliningIgnoredCommands: [],
}

const DEDICATED: RedisOptions = {
  ...OURS,
  lazyConnect: true,
  enableReadyCheck: false,
  enableOfflineQueue: true,
  enableAutoPipelining: false,
  commandTimeout: undefined,
  reconnectOnError: null,
  retryStrategy: () => null,
  sentinelRetryStrategy: () => null,
}

const LONGEST_PAUSE = 2_000

function pauseBefore(attempt: number): number {
  return Math.min(50 * 2 ** attempt, LONGEST_PAUSE) * (0.5 + systemClock.random())
}

const COMMANDS: RedisOptions = {
  ...OURS,
  lazyConnect: false,
  enableReadyCheck: true,
  enableOfflineQueue: false,
  // One write to the socket for all commands of a turn of the event loop.
  enableAutoPipelining: true,
  retryStrategy: pauseBefore,
  sentinelRetryStrategy: pauseBefore,
  reconnectOnError: null,
}

// Deadlines of every step. A frozen Sentinel accepts a connection and says nothing: the next one is asked in good time.
function deadlines(timeout: number): RedisOptions {
  return { connectTimeout: timeout, sentinelCommandTimeout: Math.max(1, Math.floor(timeout / 2)) }
}

/** @throws {TypeError} for a client with which no log can work */
export function connectionsOf(source: ClientOrUrl, key: string): Connections {
  const client = typeof source === 'string' ? new Redis(source, { lazyConnect: true }) : source
  if (client instanceof Cluster) return new ClusterConnections(client, key)
  if (client.options.monitor === true) throw new TypeError('`client` cannot be a monitor')
  if (client.options.role === 'slave') {
    throw new TypeError("`client` must not have `role: 'slave'`: the log is written to, and a replica takes no writes")
  }
  return new SingleConnections(client)
}

class SingleConnections implements Connections {
  readonly command = 'PUBLISH'
  readonly #client: Redis

  constructor(client: Redis) {
    this.#client = client
  }

  commands(timeout: number): Redis {
    return this.#client.duplicate({ ...COMMANDS, ...deadlines(timeout), commandTimeout: timeout, readOnly: false })
  }

  async dedicated(timeout: number): Promise<Redis> {
    return connected(this.#client.duplicate({ ...DEDICATED, ...deadlines(timeout), readOnly: false }))
  }
}

async function connected(client: Redis): Promise<Redis> {
  // Whoever waits for the connection hears of its errors; ioredis would print them for want of a listener.
  client.on('error', () => undefined)
  try {
    await client.connect()
    return client
  } catch (error) {
    client.disconnect()
    throw error
  }
}

/** Sharded Pub/Sub (Redis 7): a subscriber has to be connected to the master that has the log's slot. */
class ClusterConnections implements Connections {
  readonly command = 'SPUBLISH'
  readonly #source: Cluster
  readonly #key: string
  #cluster: Cluster | undefined

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
    return this.#cluster
  }

  async dedicated(timeout: number): Promise<Redis> {
    const master = await this.#masterOfLog()
    return connected(master.duplicate({ ...DEDICATED, ...deadlines(timeout) }))
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
    const slot = await cluster.cluster('KEYSLOT', this.#key)
    const owner = cluster.slots[slot]?.[0]
    const master = cluster
      .nodes('master')
      .find(({ options: { host, port } }) => owner === `${String(host)}:${String(port)}`)
    if (master === undefined) throw new Error(`no master of the cluster has slot ${String(slot)}`)
    return master
  }
}
