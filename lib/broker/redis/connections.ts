import { Cluster, Redis, type RedisOptions } from 'ioredis'
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
  /** A connection for a subscriber, connected, which does not reconnect: whoever holds it has to catch up anyway. */
  subscriber(timeout: number): Promise<Redis>
}

// Channels have no prefix, and a script's channels are none of ioredis' business: with one, nobody would hear anything.
const NO_PREFIX = { keyPrefix: '' }

// A frozen Redis does not answer when a connection is ended, and neither the next one nor a shutdown should wait for it.
const DISCONNECT_TIMEOUT = 100

const SUBSCRIBER: RedisOptions = {
  ...NO_PREFIX,
  disconnectTimeout: DISCONNECT_TIMEOUT,
  lazyConnect: true,
  autoResubscribe: false,
  autoResendUnfulfilledCommands: false,
  enableReadyCheck: false,
  maxRetriesPerRequest: 0,
  retryStrategy: () => null,
  sentinelRetryStrategy: () => null,
}

const COMMANDS: RedisOptions = {
  ...NO_PREFIX,
  disconnectTimeout: DISCONNECT_TIMEOUT,
  lazyConnect: false,
  autoResendUnfulfilledCommands: false,
  enableOfflineQueue: false,
  // One write to the socket for all commands of a turn of the event loop.
  enableAutoPipelining: true,
  maxRetriesPerRequest: 0,
  retryStrategy: attempt => Math.min(50 * 2 ** attempt, 2_000) * (0.5 + Math.random()),
  // After a fail-over the old master answers that it is read-only until the connection is made anew.
  reconnectOnError: error => error.message.startsWith('READONLY'),
}

export function connectionsOf(source: ClientOrUrl, key: string): Connections {
  if (source instanceof Cluster) return new ClusterConnections(source, key)
  return new SingleConnections(typeof source === 'string' ? new Redis(source, { lazyConnect: true }) : source)
}

class SingleConnections implements Connections {
  readonly command = 'PUBLISH'
  readonly #client: Redis

  constructor(client: Redis) {
    this.#client = client
  }

  commands(timeout: number): Redis {
    return this.#client.duplicate({ ...COMMANDS, commandTimeout: timeout })
  }

  async subscriber(timeout: number): Promise<Redis> {
    return connected(this.#client.duplicate({ ...SUBSCRIBER, connectTimeout: timeout, commandTimeout: timeout }))
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
      ...NO_PREFIX,
      // A replica may not have heard yet that a token was revoked.
      scaleReads: 'master',
      // What was sent when a connection broke would be sent again otherwise, and be published twice.
      retryDelayOnFailover: 0,
      enableAutoPipelining: true,
      enableOfflineQueue: false,
      lazyConnect: false,
      redisOptions: { ...redisOptions, ...COMMANDS, commandTimeout: timeout },
    })
    return this.#cluster
  }

  async subscriber(timeout: number): Promise<Redis> {
    const master = await this.#masterOfLog()
    return connected(master.duplicate({ ...SUBSCRIBER, connectTimeout: timeout, commandTimeout: timeout }))
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
