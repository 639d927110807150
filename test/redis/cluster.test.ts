import test, { type ExecutionContext } from 'ava'
import { createHub, EventStreamError } from 'koa-event-stream'
import { createPublisher, redisBroker } from 'koa-event-stream/redis'
import { encodeBody } from '../../lib/wire/frame.ts'
import { Recorder, type Heard } from '../contract/recorder.ts'
import { eventually } from '../support/eventually.ts'
import { ioredisVersions } from '../support/ioredis-versions.ts'
import { PATIENCE, PATIENT } from '../support/progress.ts'
import { startCluster, type ClusterNode, type RedisCluster } from '../support/redis-cluster.ts'
import { publishAtLast } from './publish-at-last.ts'

const body = (data: string) => encodeBody({ event: undefined, data, id: undefined })
const dataOf = ({ event }: Heard) => /^data: (.*)$/m.exec(Buffer.from(event.frame).toString())?.[1]
const SOON = { timeout: 5_000, watchdog: 200 }

/** An instance that listens to the topic `news`, and one that only publishes. */
async function openLog(t: ExecutionContext, cluster: RedisCluster, name = 'events', client = cluster.connect()) {
  const recorder = new Recorder()
  const [broker, other] = [redisBroker({ client, name, ...SOON }), redisBroker({ client, name, ...SOON })]
  t.teardown(() => broker.close())
  t.teardown(() => other.close())
  broker.listen(recorder)
  other.listen(new Recorder())
  await broker.subscribe('news')
  return { broker, other, recorder, key: `{${name}}:log`, owner: await cluster.ownerOf(`{${name}}:log`) }
}

/** Publishes one event after another until it is told to stop, and keeps the ids of those that were acknowledged. */
function publishOn(t: ExecutionContext, publish: (text: string) => Promise<string>) {
  const ids: string[] = []
  const errors: unknown[] = []
  let isOn = true
  const run = async () => {
    for (let n = 0; isOn; n += 1) {
      try {
        ids.push(await publish(String(n)))
      } catch (error) {
        errors.push(error)
        await new Promise(setImmediate)
      }
    }
  }
  const running = run()
  const stop = async () => {
    isOn = false
    await running
  }
  t.teardown(stop)
  return { ids, errors, stop }
}

test('several logs spread over the masters, and each is heard by whom it concerns', async t => {
  const cluster = await startCluster(t)
  const owners = new Set<ClusterNode>()
  for (const name of ['one', 'two', 'three', 'four', 'five', 'six']) {
    const { other, recorder, owner } = await openLog(t, cluster, name)
    owners.add(owner)
    const id = await other.publish(['news'], body(name))
    t.deepEqual(await recorder.until(id), [id])
    t.deepEqual(recorder.heard.map(dataOf), [name])
  }
  t.is(owners.size, 3)
  const errors = await Promise.all(cluster.masters.map(({ admin }) => admin.info('errorstats')))
  for (const told of errors) t.notRegex(told, /CROSSSLOT/)
})

for (const [version, ioredis] of ioredisVersions) {
  test(`the slot of a log moves to another master under fire: nothing is lost, doubled or out of order (${version})`, async t => {
    const cluster = await startCluster(t)
    const { other, recorder, key, owner } = await openLog(t, cluster, 'events', cluster.connect(ioredis.Cluster))
    const fire = publishOn(t, text => other.publish(['news'], body(text)))
    await eventually(
      () => fire.ids.length > 50,
      () => 'nothing was published',
    )
    for (const target of cluster.masters.filter(node => node !== owner)) {
      await cluster.moveSlot(key, target)
      await cluster.isOwnedBy(key, target)
      const count = fire.ids.length
      await eventually(
        () => fire.ids.length > count + 50,
        () => `nothing was published any more: ${String(fire.errors.at(-1))}`,
      )
    }
    await fire.stop()
    const last = await other.publish(['news'], body('last'))
    const heard = await recorder.until(last)
    t.deepEqual(
      heard.filter(id => fire.ids.includes(id)),
      fire.ids,
    )
    t.is(new Set(heard).size, heard.length)
    t.deepEqual(recorder.gaps, [])
    for (const error of fire.errors) t.true(error instanceof EventStreamError)
  })
}

test('a master without replicas goes down: its logs say so, and those of the others go on', async t => {
  const cluster = await startCluster(t)
  const { other, recorder, owner } = await openLog(t, cluster)
  await recorder.until(await other.publish(['news'], body('before')))
  const unharmed = await openLog(t, cluster, await nameElsewhere(cluster, owner))
  await owner.stop()
  await recorder.untilReady(false)
  await t.throwsAsync(other.publish(['news'], body('down')), { instanceOf: EventStreamError, code: 'ERR_BROKER' })
  const id = await unharmed.other.publish(['news'], body('other master'))
  t.deepEqual(await unharmed.recorder.until(id), [id])
})

async function nameElsewhere(cluster: RedisCluster, owner: ClusterNode): Promise<string> {
  for (const name of ['one', 'two', 'three', 'four']) {
    if ((await cluster.ownerOf(`{${name}}:log`)) !== owner) return name
  }
  throw new Error('all logs are on the same master')
}

test('a replica is told to take over: streams go on, though the old master lives and follows', async t => {
  const cluster = await startCluster(t)
  const { other, recorder, key, owner } = await openLog(t, cluster)
  const replica = await cluster.addReplica(owner)
  const fire = publishOn(t, text => other.publish(['news'], body(text)))
  await eventually(
    () => fire.ids.length > 50,
    () => 'nothing was published',
  )
  await replica.admin.call('CLUSTER', 'FAILOVER')
  await cluster.isOwnedBy(key, replica)
  const count = fire.ids.length
  await eventually(
    () => fire.ids.length > count + 50,
    () => `nothing was published any more: ${String(fire.errors.at(-1))}`,
  )
  await fire.stop()
  const last = await other.publish(['news'], body('last'))
  const heard = await recorder.until(last)
  t.deepEqual(
    heard.filter(id => fire.ids.includes(id)),
    fire.ids,
  )
  t.is(new Set(heard).size, heard.length)
  t.deepEqual(recorder.gaps, [])
})

test('a master is killed and its replica takes over: streams go on', async t => {
  const cluster = await startCluster(t)
  const { other, recorder, key, owner } = await openLog(t, cluster)
  const replica = await cluster.addReplica(owner)
  const before = await other.publish(['news'], body('before'))
  await recorder.until(before)
  // WAIT waits for what its own connection has written, and for all that was written before that.
  await owner.admin.set(`${key}:mark`, 'written after it')
  t.is(await owner.admin.wait(1, PATIENCE), 1)
  await owner.stop()
  await cluster.isOwnedBy(key, replica, [replica])
  const fire = publishOn(t, text => other.publish(['news'], body(text)))
  await eventually(
    () => fire.ids.length > 0,
    () => `nothing was published: ${String(fire.errors.at(-1))}`,
  )
  await fire.stop()
  const heard = await recorder.until(fire.ids.at(-1) ?? '')
  t.deepEqual(heard, [before, ...fire.ids])
  t.deepEqual(recorder.gaps, [])
})

test('a master freezes and its replica takes over: who only publishes goes on, though the old master accepts connections', async t => {
  const cluster = await startCluster(t)
  const owner = await cluster.ownerOf('{events}:log')
  const replica = await cluster.addReplica(owner)
  const publisher = createPublisher({ client: cluster.connect(), timeout: 500 })
  t.teardown(() => publisher.close())
  await publisher.publish('news', { data: 'before' })
  owner.pause()
  t.teardown(owner.resume)
  // Meanwhile connections are made anew, and hang; the others take the master for dead after five seconds.
  const errors = await publishAtLast(publisher)
  await cluster.isOwnedBy('{events}:log', replica, [replica])
  t.true(errors.length > 0)
})

test('a client that is set for its own use is used for where it connects to, by every ioredis', async t => {
  const cluster = await startCluster(t)
  const owner = await cluster.ownerOf('{events}:log')
  for (const [version, ioredis] of ioredisVersions) {
    const client = cluster.connect(ioredis.Cluster)
    Object.assign(client.options, {
      keyPrefix: 'app:',
      scaleReads: 'slave',
      clusterRetryStrategy: null,
      scripts: { readLog: { lua: 'return 1', readOnly: true } },
      redisOptions: { keyPrefix: 'app:', stringNumbers: true, replyMapping: 'resp3', commandTimeout: 1 },
    })
    const hub = createHub({ broker: redisBroker({ ...PATIENT, client }) })
    t.teardown(() => hub.close())
    const recorder = new Recorder()
    const broker = redisBroker({ ...PATIENT, client })
    t.teardown(() => broker.close())
    broker.listen(recorder)
    await broker.subscribe('news')
    const id = await hub.publish('news', { data: version })
    t.deepEqual(await recorder.until(id), [id])
    t.true(await broker.leases.lease({ key: 'ann', holder: version }, 60_000, 2))
    t.false(await broker.leases.lease({ key: 'ann', holder: 'one too many' }, 60_000, 1))
  }
  const keys = await owner.admin.keys('*')
  t.true(keys.includes('{events}:events:news'))
  t.deepEqual(
    keys.filter(key => !key.startsWith('{events}:')),
    [],
  )
})
