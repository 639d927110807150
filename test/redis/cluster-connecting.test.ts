// How connections to a Cluster are opened, and made anew, whatever the way to its nodes is like.
import test, { type ExecutionContext } from 'ava'
import type { Cluster as IoredisCluster, ClusterOptions } from 'ioredis'
import { createPublisher, redisBroker } from 'koa-event-stream/redis'
import { Recorder } from '../contract/recorder.ts'
import { eventually } from '../support/eventually.ts'
import { ioredisVersions } from '../support/ioredis-versions.ts'
import { PATIENT } from '../support/progress.ts'
import { startCluster, type ClusterNode } from '../support/redis-cluster.ts'
import { openTcpProxy, type TcpProxy, type TcpProxyOptions } from '../support/tcp-proxy.ts'
import { publishAtLast } from './publish-at-last.ts'

const LOG = '{events}:log'

/** Hands each answer on so many milliseconds after it came. */
const after = (ms: number) =>
  async function* (chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      await new Promise(resolve => setTimeout(resolve, ms))
      yield chunk
    }
  }

/** Opens a proxy for each node, and has the nodes name the proxies as where they are. */
async function standBefore(t: ExecutionContext, nodes: readonly ClusterNode[], options: TcpProxyOptions = {}) {
  const proxies: TcpProxy[] = []
  for (const { port, admin } of nodes) {
    const proxy = await openTcpProxy(port, t, options)
    proxies.push(proxy)
    await admin.config('SET', 'cluster-announce-ip', '127.0.0.1')
    await admin.config('SET', 'cluster-announce-port', portOf(proxy))
  }
  const ports = proxies.map(portOf)
  for (const { admin } of nodes) {
    await eventually(
      async () => {
        const slots = await admin.cluster('SLOTS')
        return slots.every(([, , first]) => first !== undefined && ports.includes(first[1]))
      },
      () => 'a node has not heard where the others are',
    )
  }
  return proxies
}

function portOf({ url }: TcpProxy): number {
  return Number(new URL(url).port)
}

function addressOf(proxy: TcpProxy) {
  return { host: '127.0.0.1', port: portOf(proxy) }
}

/** A client of the application's, which is used for its settings only. */
function clientOf(
  t: ExecutionContext,
  Cluster: typeof IoredisCluster,
  nodes: { host: string; port: number }[],
  options: Pick<ClusterOptions, 'clusterNodeRetryStrategy' | 'dnsLookup'> = {},
) {
  const client = new Cluster(nodes, { lazyConnect: true, ...options })
  client.on('error', () => {})
  t.teardown(() => client.disconnect())
  return client
}

/** A client of a Cluster with a single node, which it reaches through a proxy. */
async function connectThrough(t: ExecutionContext, Cluster: typeof IoredisCluster, options: TcpProxyOptions) {
  const { masters } = await startCluster(t, 1)
  return clientOf(t, Cluster, (await standBefore(t, masters, options)).map(addressOf))
}

for (const [version, { Cluster }] of ioredisVersions) {
  test(`a connection that goes silent when it is asked for the slot of the log is left for another one (${version})`, async t => {
    const client = await connectThrough(t, Cluster, { strandAt: 'KEYSLOT' })
    const broker = redisBroker({ client, timeout: 500, watchdog: 500 })
    t.teardown(() => broker.close())
    const recorder = new Recorder()
    broker.listen(recorder)
    await recorder.untilReady(false)
    await t.notThrowsAsync(recorder.untilReady())
  })

  test(`a connection that goes silent when it is asked how the Cluster is, is left for another one (${version})`, async t => {
    const client = await connectThrough(t, Cluster, { strandAt: '\r\nINFO\r\n' })
    const publisher = createPublisher({ client, timeout: 500 })
    t.teardown(() => publisher.close())
    const errors = await publishAtLast(publisher)
    t.true(errors.length > 0)
  })

  test(`a Cluster that is some way off takes the first publish, by one of its nodes (${version})`, async t => {
    const cluster = await startCluster(t)
    const owner = await cluster.ownerOf(LOG)
    const others = cluster.masters.filter(node => node !== owner)
    const nodes = (await standBefore(t, [...others, owner], { answers: after(20) })).map(addressOf)
    for (let n = 0; n < 5; n += 1) {
      const publisher = createPublisher({ ...PATIENT, client: clientOf(t, Cluster, nodes.slice(0, 1)) })
      t.teardown(() => publisher.close())
      await t.notThrowsAsync(publisher.publish('news', { data: n }))
    }
  })

  test(`a Cluster may answer as slowly as a single Redis (${version})`, async t => {
    const client = await connectThrough(t, Cluster, { answers: after(550) })
    const publisher = createPublisher({ client, timeout: 2_000 })
    t.teardown(() => publisher.close())
    await t.notThrowsAsync(publishAtLast(publisher))
  })

  test(`what is rejected while a Cluster is away is not published once it is back (${version})`, async t => {
    const { masters } = await startCluster(t, 1)
    const [node] = masters
    const [proxy] = await standBefore(t, masters)
    if (node === undefined || proxy === undefined) return t.fail('no node')
    const publisher = createPublisher({ client: clientOf(t, Cluster, [addressOf(proxy)]), timeout: 1_000 })
    t.teardown(() => publisher.close())
    await publishAtLast(publisher)
    proxy.strand()
    const calls: Promise<string>[] = []
    for (const data of ['in flight', 'behind it', 'behind it, too']) {
      calls.push(publisher.publish('news', { data }))
      // One write of each: ioredis keeps the later ones back until the first is answered.
      for (let turn = 0; turn < 3; turn += 1) await new Promise(setImmediate)
    }
    proxy.cut()
    for (const call of calls) await t.throwsAsync(call, { code: 'ERR_BROKER' })
    proxy.mend()
    await publishAtLast(publisher)
    t.is(await node.admin.xlen('{events}:events:news'), 2)
  })

  test(`a client that keeps nodes which have gone does not keep a publisher from the new master (${version})`, async t => {
    const cluster = await startCluster(t)
    const owner = await cluster.ownerOf(LOG)
    const replica = await cluster.addReplica(owner)
    const nodes = cluster.masters.map(({ port }) => ({ host: '127.0.0.1', port }))
    const client = clientOf(t, Cluster, nodes, { clusterNodeRetryStrategy: () => 100 })
    const publisher = createPublisher({ client, timeout: 2_000 })
    t.teardown(() => publisher.close())
    await publishAtLast(publisher)
    await owner.stop()
    await t.notThrowsAsync(publishAtLast(publisher))
    await cluster.isOwnedBy(LOG, replica, [replica])
  })

  test(`a node of a Cluster with host names freezes for a moment, again and again (${version})`, async t => {
    const cluster = await startCluster(t, 2)
    const owner = await cluster.ownerOf(LOG)
    const nodes = cluster.masters.map(({ port }) => ({ host: 'redis.test', port }))
    const client = clientOf(t, Cluster, nodes, {
      dnsLookup: (_, resolve) => setTimeout(resolve, 60, null, '127.0.0.1'),
    })
    const publisher = createPublisher({ client, timeout: 300 })
    t.teardown(() => publisher.close())
    t.teardown(owner.resume)
    await publishAtLast(publisher)
    for (let round = 0; round < 10; round += 1) {
      owner.pause()
      // The first has the connections left; meanwhile the next ones are opened, and the last one ends late.
      for (const data of ['lost', 'lost, too']) await t.throwsAsync(publisher.publish('news', { data }))
      owner.resume()
      await t.notThrowsAsync(publishAtLast(publisher))
    }
  })
}
