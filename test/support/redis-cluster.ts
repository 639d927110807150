import { Cluster, Redis } from 'ioredis'
import { eventually } from './eventually.ts'
import { PATIENCE } from './progress.ts'
import { startRedis, type RedisServer } from './redis-server.ts'
import type { Scope } from './scope.ts'

const SLOTS = 16_384

export interface ClusterNode extends RedisServer {
  /** The name that the other nodes know it by. */
  readonly id: string
  /** A connection for the test's own commands. */
  readonly admin: Redis
}

export interface RedisCluster {
  readonly masters: readonly ClusterNode[]
  /** A client of its own, of one version of ioredis or another, disconnected when the scope ends. */
  connect(Client?: typeof Cluster): Cluster
  /** The master that has the slot of a key. */
  ownerOf(key: string): Promise<ClusterNode>
  /** Moves the slot of a key, with all that is in it, to another master. */
  moveSlot(key: string, to: ClusterNode): Promise<void>
  /** Adds a node that follows a master. Resolves when it has all that the master has. */
  addReplica(of: ClusterNode): Promise<ClusterNode>
  /** Resolves when all masters, or the given nodes, have heard that a node has the slot of a key. */
  isOwnedBy(key: string, owner: ClusterNode, nodes?: readonly ClusterNode[]): Promise<void>
}

/** Starts a Redis Cluster of masters that share the slots evenly. */
export async function startCluster(scope: Scope, size = 3): Promise<RedisCluster> {
  const masters = await Promise.all(Array.from({ length: size }, () => startNode(scope)))
  const [first] = masters
  if (first === undefined) throw new RangeError('a cluster has at least one node')
  for (const [index, { admin }] of masters.entries()) {
    const [from, to] = [index, index + 1].map(part => Math.floor((SLOTS * part) / size)) as [number, number]
    await admin.call('CLUSTER', 'ADDSLOTSRANGE', from, to - 1)
    await admin.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1)
  }
  await meet(masters, masters)
  for (const node of masters) await bePatient(node)

  return {
    masters,
    connect: (Client = Cluster) => {
      const client = new Client(masters.map(({ port }) => ({ host: '127.0.0.1', port })))
      client.on('error', () => {})
      scope.teardown(async () => client.disconnect())
      return client
    },
    ownerOf: async key => ownerAmong(masters, await first.admin.cluster('KEYSLOT', key)),
    moveSlot: async (key, to) => moveSlot(masters, await first.admin.cluster('KEYSLOT', key), to),
    addReplica: async master => {
      const replica = await startNode(scope)
      await meet([replica], masters)
      await bePatient(replica)
      await replica.admin.call('CLUSTER', 'REPLICATE', master.id)
      await untilInfo(replica, 'replication', /master_link_status:up/)
      for (const node of masters) await untilFollows(node, replica, master)
      return replica
    },
    isOwnedBy: async (key, owner, nodes = masters) => {
      const slot = await first.admin.cluster('KEYSLOT', key)
      for (const node of nodes) {
        await eventually(
          () => owns(node, slot, owner),
          () => `node ${node.port} did not hear who has slot ${slot}`,
        )
      }
    },
  }
}

async function startNode(scope: Scope): Promise<ClusterNode> {
  // A replica is not to wait until it dares to take over, and the rest serves its slots when one master is gone.
  const args = [
    '--cluster-node-timeout',
    '1000',
    '--cluster-require-full-coverage',
    'no',
    '--repl-diskless-sync-delay',
    '0',
  ]
  const server = await startRedis(scope, { args, isNode: true })
  const admin = new Redis(server.url)
  admin.on('error', () => {})
  scope.teardown(async () => admin.disconnect())
  return { ...server, admin, id: await admin.cluster('MYID') }
}

/** A node that waits for a core of a busy machine is not to be taken for dead. While nodes meet, more makes them slow. */
async function bePatient({ admin }: ClusterNode): Promise<void> {
  await admin.config('SET', 'cluster-node-timeout', 5_000)
}

/** Makes each of these nodes known to all of those, and waits until it knows who serves each of the slots. */
async function meet(nodes: readonly ClusterNode[], others: readonly ClusterNode[]): Promise<void> {
  for (const node of nodes) {
    await eventually(
      async () => {
        const [known, info] = await Promise.all([node.admin.cluster('NODES'), node.admin.cluster('INFO')])
        const lines = String(known).split('\n')
        const isKnown = ({ id }: ClusterNode) =>
          lines.some(line => line.startsWith(id) && !/handshake|noaddr/.test(line))
        // By hearsay it takes them seconds, and who is not answered in one second forgets that it was told of the other.
        const strangers = others.filter(other => !isKnown(other))
        for (const stranger of strangers) await introduce(node, stranger)
        const isWhole = info.includes('cluster_state:ok') && info.includes(`cluster_slots_ok:${SLOTS}`)
        return isWhole && strangers.length === 0
      },
      () => `node ${node.port} does not know the others`,
    )
  }
}

async function introduce(one: ClusterNode, other: ClusterNode): Promise<void> {
  const [, busPort] = (await other.admin.config('GET', 'cluster-port')) as [string, string]
  await one.admin.call('CLUSTER', 'MEET', '127.0.0.1', other.port, busPort)
}

async function moveSlot(masters: readonly ClusterNode[], slot: number, to: ClusterNode): Promise<void> {
  const from = await ownerAmong(masters, slot)
  await to.admin.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', from.id)
  await from.admin.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', to.id)
  while (true) {
    const keys = await from.admin.cluster('GETKEYSINSLOT', slot, 100)
    if (keys.length === 0) break
    await from.admin.call('MIGRATE', '127.0.0.1', to.port, '', 0, PATIENCE, 'KEYS', ...keys)
  }
  for (const node of [to, from, ...masters]) await node.admin.call('CLUSTER', 'SETSLOT', slot, 'NODE', to.id)
}

async function ownerAmong(masters: readonly ClusterNode[], slot: number): Promise<ClusterNode> {
  for (const node of masters) {
    if (await owns(node, slot, node)) return node
  }
  throw new Error(`no master has slot ${slot}`)
}

/** Whether a node believes that another one has a slot. */
async function owns(node: ClusterNode, slot: number, owner: ClusterNode): Promise<boolean> {
  const ranges = await node.admin.cluster('SLOTS')
  return ranges.some(([from, to, master]) => from <= slot && slot <= to && master?.[2] === owner.id)
}

/** Waits until a node has heard that one of the others follows another; it takes part in a fail-over only then. */
async function untilFollows({ admin, port }: ClusterNode, replica: ClusterNode, master: ClusterNode): Promise<void> {
  const line = new RegExp(`^${replica.id} .*slave ${master.id}`, 'm')
  await eventually(
    async () => line.test(String(await admin.cluster('NODES'))),
    () => `node ${port} did not hear of the replica`,
  )
}

async function untilInfo({ admin, port }: ClusterNode, section: string, pattern: RegExp): Promise<void> {
  await eventually(
    async () => pattern.test(await admin.info(section)),
    () => `node ${port} never said ${pattern}`,
  )
}
