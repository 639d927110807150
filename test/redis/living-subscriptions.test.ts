import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import { openStream, type ReceivedStream } from '../support/http.ts'
import { startRedis, type RedisServer } from '../support/redis-server.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'
import { isCursor, openInstance, until, untilRedis, type Instance } from './instance.ts'

const TIMES = { timeout: 5_000, watchdog: 200 }
/** Longer than any answer takes on a busy machine. */
const PATIENCE = 60_000

/** Two instances with a stream each, of topic `base`, and a third without any. */
async function openThree(t: ExecutionContext) {
  const server = await startRedis(t)
  const open = async () => {
    const instance = await openInstance(t, { ...TIMES, client: server.url })
    await instance.tells('ready')
    return instance
  }
  const instances = [await open(), await open(), await open()] as const
  const streams = [await openOn(instances[0]), await openOn(instances[1])] as const
  return { server, instances, streams }
}

interface Opened {
  readonly stream: ReceivedStream
  readonly id: string
}

async function openOn(instance: Pick<Instance, 'open'>): Promise<Opened> {
  const stream = await instance.open(['base'])
  return { stream, id: idOf((await stream.next(isCursor)).data) }
}

function idOf(data: string): string {
  return (JSON.parse(data) as { stream: string }).stream
}

test('a stream on another instance gets a topic from the cursor on that is answered, and loses it for good', async t => {
  const { instances, streams } = await openThree(t)
  const [here, there, third] = instances
  for (const [index, from] of [there, third, here].entries()) {
    const { stream, id } = streams[0]
    const topic = `room:${index}`
    const given = await from.hub.subscribe({ stream: id }, topic, { within: PATIENCE })
    t.like(given, { streams: 1, complete: true })
    const event = await third.hub.publish(topic, { data: `given ${index}` })
    t.true(numberOf(event) > numberOf(given.since))
    await until(stream, `given ${index}`)
    t.like(await from.hub.unsubscribe({ stream: id }, topic, { within: PATIENCE }), { streams: 1, complete: true })
    await third.hub.publish(topic, { data: 'taken away' })
  }
  await here.hub.publish('base', { data: 'end' })
  t.deepEqual(await until(streams[0].stream, 'end'), ['given 0', 'given 1', 'given 2', 'end'])
  t.deepEqual(await until(streams[1].stream, 'end'), ['end'])
})

const numberOf = (id: string) => Number(id.slice(id.lastIndexOf('-') + 1))

test('what no instance has is found nowhere, and all have said so', async t => {
  const { instances } = await openThree(t)
  t.like(await instances[0].hub.subscribe({ stream: 'none' }, 'room', { within: PATIENCE }), {
    streams: 0,
    complete: true,
  })
})

test('changes of one stream from two instances at once: all agree on the last one', async t => {
  const { instances, streams } = await openThree(t)
  const [here, there, third] = instances
  const { stream, id } = streams[0]
  for (let n = 0; n < 10; n += 1) {
    await Promise.all([
      there.hub.subscribe({ stream: id }, 'room', { within: PATIENCE }),
      third.hub.unsubscribe({ stream: id }, 'room', { within: PATIENCE }),
      here.hub.subscribe({ stream: id }, 'room', { within: PATIENCE }),
    ])
    // Whatever it was, this is the last word.
    t.like(await there.hub.unsubscribe({ stream: id }, 'room', { within: PATIENCE }), { streams: 1, complete: true })
    await third.hub.publish('room', { data: 'taken away' })
    await third.hub.publish('base', { data: `end ${n}` })
    await until(stream, `end ${n}`)
    t.false(stream.received.some(({ data }) => data === 'taken away'))
  }
})

/** An instance in a process of its own, with a stream of `base`. */
async function forkInstance(t: ExecutionContext, { url }: RedisServer): Promise<Opened & { child: ChildProcess }> {
  const child = fork(new URL('instance-process.js', import.meta.url), [url])
  t.teardown(() => child.kill('SIGKILL'))
  const [port] = (await once(child, 'message')) as [number]
  const stream = await openStream(`http://127.0.0.1:${port}/?topics=base`)
  return { child, stream, id: idOf((await stream.next(isCursor)).data) }
}

test('an instance is frozen: no change is complete; when it goes on it takes away what it has missed before it sends', async t => {
  const { server, instances } = await openThree(t)
  const [{ hub }] = instances
  const { child, stream, id } = await forkInstance(t, server)
  t.like(await hub.subscribe({ stream: id }, 'room', { within: PATIENCE }), { streams: 1, complete: true })
  await hub.publish('room', { data: 'given' })
  await until(stream, 'given')
  child.kill('SIGSTOP')
  t.like(await hub.unsubscribe({ stream: id }, 'room', { within: 500 }), { streams: 0, complete: false })
  await hub.publish('room', { data: 'taken away' })
  await hub.publish('base', { data: 'end' })
  child.kill('SIGCONT')
  t.deepEqual(await until(stream, 'end'), ['given', 'end'])
})

test('an instance is killed: changes are complete again once it is known to be gone', async t => {
  const { server, instances } = await openThree(t)
  const [{ hub }] = instances
  const { child } = await forkInstance(t, server)
  child.kill('SIGKILL')
  await once(child, 'exit')
  const ask = () => hub.unsubscribe({ stream: 'none' }, 'room', { within: 300 })
  t.like(await ask(), { streams: 0, complete: false })
  await untilRedis(async () => ((await ask()).complete ? true : undefined), 'it is not known to be gone')
})

test('an instance that was cut off takes away what it has missed before it hands on what was published since', async t => {
  const server = await startRedis(t)
  const proxy = await openTcpProxy(server.port, t)
  const away = await openInstance(t, { ...TIMES, client: proxy.url.replace('http', 'redis') })
  const here = await openInstance(t, { ...TIMES, client: server.url })
  await away.tells('ready')
  await here.tells('ready')
  const { stream, id } = await openOn(away)
  t.like(await here.hub.subscribe({ stream: id }, 'room', { within: PATIENCE }), { streams: 1, complete: true })
  await here.hub.publish('room', { data: 'given' })
  await until(stream, 'given')
  proxy.cut()
  await away.tells('lost')
  t.like(await here.hub.unsubscribe({ stream: id }, 'room', { within: 300 }), { streams: 0, complete: false })
  for (let n = 0; n < 50; n += 1) await here.hub.publish('room', { data: 'taken away' })
  await here.hub.publish('base', { data: 'end' })
  proxy.mend()
  t.deepEqual(await until(stream, 'end'), ['given', 'end'])
})
