import { inspect } from 'node:util'
import test from 'ava'
import { Redis } from 'ioredis'
import { redisBroker } from 'koa-event-stream/redis'
import { parseCursor } from '../../lib/wire/cursor.ts'
import { startRedis } from '../support/redis-server.ts'
import { connectAdmin, openEngine, openInstance, publish, until, isCursor } from './instance.ts'

const EVENT = '\ndata: forged\n\n'
const FOREIGN: [what: string, payload: string | Buffer][] = [
  ['nothing', ''],
  ['text', 'hello'],
  ['bytes', Buffer.from([0, 255, 10, 13, 200])],
  ['JSON', '{"event":"order"}\n'],
  ['much without a header', 'x'.repeat(1_000_000)],
  ['another format', `3 abc 1 0 1 1${EVENT}`],
  ['a header that is cut off', '2 abc 1 0'],
  ['a header without an end', '2 abc 1 0 1 1'],
  ['an epoch that is none', `2 <b> 1 0 1 1${EVENT}`],
  ['numbers that are none', `2 abc 1e9 0 1 1${EVENT}`],
  ['numbers that are too long', `2 abc 99999999999999999 0 1 1${EVENT}`],
  ['negative numbers', `2 abc -1 0 1 1${EVENT}`],
  ['an id of its own', `id: 5\nevent: cursor${EVENT}`],
]

test('what others write to our channels is skipped and told, and streams live on', async t => {
  const server = await startRedis(t)
  const admin = connectAdmin(t, server)
  const instance = await openInstance(t, { client: server.url })
  const stream = await instance.open(['a'])
  await stream.next(isCursor)
  for (const [, payload] of FOREIGN) await admin.publish('{events}:topic:a', payload)
  for (const payload of ['', 'null', '[]', '{}', '{"type":"disconnect"}', 'x']) {
    await admin.publish('{events}:control', payload)
  }
  // They fit nobody, whoever sent them.
  for (const reason of ['server', 'a newer one']) {
    await admin.publish('{events}:control', JSON.stringify({ type: 'disconnect', reason }))
  }
  // What only a newer instance knows is no fault of anybody's.
  await admin.publish('{events}:control', '{"type":"newer","reason":"server"}')
  await instance.hub.publish('a', { data: 'real' })
  t.deepEqual(await until(stream, 'real'), ['real'])
  const faults = await instance.tells('fault', FOREIGN.length + 6)
  t.is(faults.length, FOREIGN.length + 6)
  for (const { about } of faults) {
    t.like(about, { during: 'redis message', error: { code: 'ERR_BROKER' } })
    t.notRegex(inspect(about), /forged|hello|xxx/)
  }
})

test('events of another log on the same channels are skipped and told, and cost nobody a gap', async t => {
  const server = await startRedis(t)
  const admin = connectAdmin(t, server)
  const { broker, recorder } = await openEngine(t, { client: server.url }, ['a', 'b'])
  // Channels are shared by all databases of a Redis, keys are not.
  const other = await openEngine(t, { client: `${server.url}/1` }, ['a'])
  const ids: string[] = []
  for (let n = 0; n < 20; n += 1) {
    await publish(other.broker, 'a', 'foreign')
    ids.push(...(await publish(broker, n % 2 === 0 ? 'a' : 'b', 'own')))
  }
  t.deepEqual(await recorder.until(ids.at(-1) ?? ''), ids)
  t.deepEqual(recorder.gaps, [])
  t.true(recorder.faults.length > 0)
  await other.broker.close()
  const { epoch, seq } = broker.position()
  await admin.publish('{events}:topic:a', `1 ${epoch} ${seq - 1} 0 1 1${EVENT}`)
  const last = await publish(broker, 'a', 'last')
  t.deepEqual(await recorder.until(last[0] ?? ''), [...ids, ...last], 'what is older than what was had is had')
})

test('an event that claims to follow what nobody has seen: the log is asked, and what is not in it is not heard', async t => {
  const server = await startRedis(t)
  const admin = connectAdmin(t, server)
  const { broker, recorder } = await openEngine(t, { client: server.url }, ['a'])
  const before = await publish(broker, 'a', 'before')
  await recorder.until(before[0] ?? '')
  const { epoch, seq } = broker.position()
  await admin.publish('{events}:topic:a', `1 ${epoch} ${seq + 10} ${seq + 5} 1 1${EVENT}`)
  const after = await publish(broker, 'a', 'after')
  t.deepEqual(await recorder.until(after[0] ?? ''), [...before, ...after])
  t.deepEqual(recorder.gaps, [])
  t.like(parseCursor(after[0]), { epoch })
})

test('a password and what is published never show in errors', async t => {
  const secret = 'open-sesame-4711'
  const server = await startRedis(t, { args: ['--requirepass', secret] })
  const told: unknown[] = []
  for (const password of [secret, `${secret}-wrong`]) {
    const url = `redis://:${password}@127.0.0.1:${server.port}`
    const instance = await openInstance(t, { client: url, timeout: 300 })
    if (password === secret) {
      await instance.tells('ready')
      const admin = new Redis(url)
      await admin.config('SET', 'maxmemory', '1mb')
      admin.disconnect()
    } else await instance.tells('lost')
    for (const failing of [
      instance.hub.publish('a', { data: `data ${secret}` }),
      instance.hub.revoke(`token ${secret}`, Date.now() + 60_000),
    ]) {
      told.push(await t.throwsAsync(failing, { code: 'ERR_BROKER' }))
    }
    if (password !== secret) await (await instance.open(['a'])).closed
    told.push(...instance.told.map(({ about }) => about))
  }
  told.push(t.throws(() => redisBroker({ client: `http://:${secret}@127.0.0.1` }), { instanceOf: TypeError }))
  t.notRegex(inspect(told, { depth: 20, showHidden: true }), new RegExp(secret))
})
