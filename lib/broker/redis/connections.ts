import type { Buffer } from 'node:buffer'
import type { Cluster, Redis, RedisOptions } from 'ioredis'
import { systemClock } from '../../clock.ts'
import { within } from '../../deadline.ts'
import { isCluster, type PublishCommand, type Source } from './client.ts'
import { whileBytesCome } from './progress.ts'

/** Opens the connections that a log needs, to a single Redis, by Sentinels, or to a Cluster. */
export interface Connections {
  readonly command: PublishCommand
  /** A connection for commands, which reconnects by itself. ioredis neither queues nor resends commands. */
  commands(timeout: number): Redis | Cluster
  /** The address of the Cluster node that has the log, if known. It may change during a connection. */
  owner(): string | undefined
  /**
   * A separate open connection that does not reconnect: its owner has to catch up after a loss anyway.
   *
   * @param signal aborts it while it is being opened
   */
  dedicated(timeout: number, signal: AbortSignal): Promise<Redis>
}

/** A frozen Redis does not reply to QUIT, and neither the next connection nor a shutdown should wait for it. Milliseconds. */
export const DISCONNECT_TIMEOUT = 100

// Settings that applications may use, but that would break this package's connections.
const FOR_OURS = {
  // Channels have no prefix, and ioredis does not know a script's channels: with a prefix, subscribers would receive
  // nothing.
  keyPrefix: '',
  // Numbers are numbers, and replies have the same shape over both RESP versions.
  stringNumbers: false,
  replyMapping: 'legacy',
  // It rewrites errors, whose messages are parsed here.
  showFriendlyErrorStack: false,
  // A replica refuses publishes, and may not know yet that a token was revoked.
  role: 'master',
  readOnly: false,
  monitor: false,
  // It may end a connection that is being opened for good. A replica's errors and the health checks tell of failovers, too.
  failoverDetector: false,
  // Silence is not a failure: a read may block for entries, and every command has a deadline of ours.
  commandTimeout: undefined,
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
  retryStrategy: () => null,
  sentinelRetryStrategy: () => null,
} satisfies RedisOptions

const LONGEST_PAUSE = 2_000

/** Milliseconds before another attempt to connect. */
export function pauseBefore(attempt: number): number {
  return Math.min(50 * 2 ** attempt, LONGEST_PAUSE) * (0.5 + systemClock.random())
}

const COMMANDS = {
  ...FOR_OURS,
  lazyConnect: false,
  enableReadyCheck: true,
  enableOfflineQueue: false,
  // One write to the socket for all commands of a turn of the event loop. Except for publishes, which are already
  // batched: pipelining would delay them by another turn, and until the reply to the previous batch.
  enableAutoPipelining: true,
  autoPipeliningIgnoredCommands: ['publishEvents'],
  // Retries without limit, whatever the client's settings.
  retryStrategy: pauseBefore,
  // ioredis' timer for these cannot be stopped: its owner connects again.
  sentinelRetryStrategy: () => null,
} satisfies RedisOptions

// Timeouts of every step. A frozen Sentinel accepts a connection and never replies: the next one must be asked in time.
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
    const client = this.#client.duplicate({ ...COMMANDS, ...deadlines(timeout) })
    boundHandshakes(client, timeout)
    return client
  }

  owner(): undefined {
    // Such a connection has one server.
  }

  async dedicated(timeout: number, signal: AbortSignal): Promise<Redis> {
    return connected(this.#client.duplicate({ ...DEDICATED, ...deadlines(timeout) }), timeout, signal)
  }
}

// ioredis' timeout covers only the TCP connection. The kernel of a frozen server accepts it, and nothing more comes. After
// those of its nodes a Cluster has a handshake of its own.
function boundHandshakes(client: Redis | Cluster, timeout: number): void {
  let settle = (): void => undefined
  client.on('connect', () => {
    const settled = new Promise<void>(resolve => (settle = resolve))
    whileBytesCome({ clock: systemClock, ms: timeout }, client, settled).catch(() => {
      client.disconnect(true)
    })
  })
  for (const event of ['ready', 'close']) {
    client.on(event, () => {
      settle()
    })
  }
}

async function connected(client: Redis, timeout: number, signal: AbortSignal): Promise<Redis> {
  const reason = reasonOf(client)
  const giveUp = (): void => {
    client.disconnect()
  }
  signal.addEventListener('abort', giveUp, { once: true })
  // Before its first byte there are the TCP connection, and a question to each Sentinel.
  const ms = timeout * (2 + (client.options.sentinels?.length ?? 0))
  try {
    if (signal.aborted) throw new Error('the connection to Redis was aborted')
    await whileBytesCome({ clock: systemClock, ms }, client, client.connect())
    return client
  } catch (error) {
    client.disconnect()
    throw reason() ?? error
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}

/**
 * The reason why a connection failed; ioredis often reports only that it is closed. Errors are emitted as events. An
 * error that Redis sends before the handshake is taken by ioredis for its reply, and never reported.
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

/** Sharded Pub/Sub (Redis 7): a subscriber must be connected to the master of the log's slot. */
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
      // A replica may not know yet that a token was revoked.
      scaleReads: 'master',
      // Otherwise commands in flight when a connection broke would be resent, and published twice.
      retryDelayOnFailover: 0,
      // Its owner connects again. While ioredis did, it would keep commands whose callers are told that they failed, and send
      // them once the Cluster is back.
      clusterRetryStrategy: () => null,
      // A node that has gone is to be forgotten: its slots are with another one.
      clusterNodeRetryStrategy: () => null,
      slotsRefreshTimeout: timeout,
      enableAutoPipelining: true,
      autoPipeliningIgnoredCommands: [],
      // Here it is the nodes' queue: without it, commands to a node that is still being connected to are rejected, among them
      // the one by which ioredis finds out that the Cluster is ready.
      enableOfflineQueue: true,
      lazyConnect: false,
      redisOptions: { ...redisOptions, ...COMMANDS, ...deadlines(timeout) },
    })
    this.#cluster.on('+node', (node: Redis) => {
      boundHandshakes(node, timeout)
    })
    boundHandshakes(this.#cluster, timeout)
    this.#cluster.on('ready', () => {
      this.#findSlot(timeout).catch(() => undefined)
    })
    return this.#cluster
  }

  owner(): string | undefined {
    return this.#slot === undefined ? undefined : this.#cluster?.slots[this.#slot]?.[0]
  }

  async dedicated(timeout: number, signal: AbortSignal): Promise<Redis> {
    const master = await this.#masterOfLog(timeout)
    return connected(master.duplicate({ ...DEDICATED, ...deadlines(timeout) }), timeout, signal)
  }

  async #masterOfLog(timeout: number): Promise<Redis> {
    const cluster = this.#cluster
    if (cluster === undefined) throw new Error('the command connection has not been opened')
    await new Promise<void>((resolve, reject) => {
      cluster.refreshSlotsCache(error => {
        if (error == null) resolve()
        else reject(error)
      })
    })
    await this.#findSlot(timeout)
    const owner = this.owner()
    const master = cluster
      .nodes('master')
      .find(({ options: { host, port } }) => owner === `${String(host)}:${String(port)}`)
    if (master === undefined) throw new Error(`no master of the Cluster has slot ${String(this.#slot)}`)
    return master
  }

  async #findSlot(timeout: number): Promise<void> {
    const cluster = this.#cluster
    if (cluster === undefined || this.#slot !== undefined) return
    // Any node is asked, and what others send must not hide that this one is silent.
    this.#slot = await within(systemClock, timeout, cluster.cluster('KEYSLOT', this.#key), () => {
      // Connections that go silent are not left by ioredis, and it would ask the same one again.
      if (cluster.status === 'ready') cluster.disconnect(true)
      return new Error(`Redis did not answer CLUSTER KEYSLOT within ${String(timeout)} ms`)
    })
  }
}
