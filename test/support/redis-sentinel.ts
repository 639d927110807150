import { Redis, type RedisOptions } from 'ioredis'
import { eventually } from './eventually.ts'
import { startRedis, type RedisServer } from './redis-server.ts'
import type { Scope } from './scope.ts'

const NAME = 'main'
const SENTINELS = 3

export interface SentinelNode extends RedisServer {
  /** A connection for the test's own commands. */
  readonly admin: Redis
}

export interface SentinelSet {
  readonly master: SentinelNode
  readonly replica: SentinelNode
  readonly sentinels: readonly RedisServer[]
  /** A client of its own, of one version of ioredis or another, disconnected when the scope ends. */
  connect(Client?: typeof Redis, options?: Pick<RedisOptions, 'failoverDetector'>): Redis
  /** Resolves when the Sentinels agree that this node is the master. */
  isLedBy(node: SentinelNode): Promise<void>
}

/** Starts a master, a replica that has all of it, and three Sentinels that need two votes. */
export async function startSentinels(scope: Scope): Promise<SentinelSet> {
  const master = await startNode(scope)
  const replica = await startNode(scope, ['--replicaof', `127.0.0.1 ${master.port}`])
  await untilSays(replica.admin, /master_link_status:up/)
  const config = [
    `sentinel monitor ${NAME} 127.0.0.1 ${master.port} 2`,
    // So long that a master which waits for a core of a busy machine is not taken for dead.
    `sentinel down-after-milliseconds ${NAME} 3000`,
    `sentinel failover-timeout ${NAME} 3000`,
  ].join('\n')
  const sentinels = await Promise.all(
    Array.from({ length: SENTINELS }, () => startRedis(scope, { config: `${config}\n`, args: ['--sentinel'] })),
  )
  const admins = sentinels.map(({ url }) => connected(scope, new Redis(url)))
  for (const admin of admins) {
    await eventually(
      async () => {
        const told = (await admin.call('SENTINEL', 'MASTER', NAME)) as string[]
        const about = (field: string) => told[told.indexOf(field) + 1]
        return about('num-slaves') === '1' && about('num-other-sentinels') === String(SENTINELS - 1)
      },
      () => 'the Sentinels have not found each other',
    )
  }

  return {
    master,
    replica,
    sentinels,
    connect: (Client = Redis, options = {}) =>
      connected(
        scope,
        new Client({
          name: NAME,
          sentinels: sentinels.map(({ port }) => ({ host: '127.0.0.1', port })),
          sentinelRetryStrategy: () => 100,
          ...options,
        }),
      ),
    isLedBy: async ({ port, admin }) => {
      for (const sentinel of admins) {
        await eventually(
          async () =>
            ((await sentinel.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME)) as string[])[1] === String(port),
          () => 'the Sentinels do not agree on the new master',
        )
      }
      await untilSays(admin, /role:master/)
    },
  }
}

async function startNode(scope: Scope, args: readonly string[] = []): Promise<SentinelNode> {
  const server = await startRedis(scope, { args: ['--repl-diskless-sync-delay', '0', ...args] })
  return { ...server, admin: connected(scope, new Redis(server.url)) }
}

function connected(scope: Scope, client: Redis): Redis {
  client.on('error', () => {})
  scope.teardown(async () => client.disconnect())
  return client
}

async function untilSays(admin: Redis, pattern: RegExp): Promise<void> {
  await eventually(
    async () => pattern.test(await admin.info('replication')),
    () => `a node never said ${pattern}`,
  )
}
