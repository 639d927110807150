import redactor from '@pinojs/redact'
import test from 'ava'
import { createHub, type Redact } from 'koa-event-stream'
import { createPublisher, redisBroker } from 'koa-event-stream/redis'
import { Redis } from 'ioredis'
import { openEndpoint } from '../koa/endpoint.ts'
import type { Received, ReceivedStream } from '../support/http.ts'
import { PATIENT } from '../support/progress.ts'
import { startRedis } from '../support/redis-server.ts'

const PATHS = ['*.password', 'card.number']
const redact = redactor({ paths: PATHS, serialize: false })

const SECRETS = { user: { name: 'ann', password: 'SECRET' }, card: { number: 'SECRET', type: 'x' } }
const REDACTED = '{"user":{"name":"ann","password":"[REDACTED]"},"card":{"number":"[REDACTED]","type":"x"}}'

const isMessage = ({ event }: Received) => event === 'message'

async function dataOf(stream: ReceivedStream, count: number): Promise<string[]> {
  const data: string[] = []
  while (data.length < count) data.push((await stream.next(isMessage)).data)
  return data
}

test('named fields are replaced on every way to a client, and the caller’s object stays as it is', async t => {
  const { hub, open } = await openEndpoint(
    t,
    {
      subscribe: async stream => {
        await stream.send({ data: SECRETS })
        return { topic: 'news', replay: 5 }
      },
    },
    { hub: { redact } },
  )
  const frozen = Object.freeze({ user: Object.freeze({ ...SECRETS.user }), card: Object.freeze({ ...SECRETS.card }) })
  await hub.publish('news', { data: frozen })
  t.is(frozen.card.number, 'SECRET')
  const streams = [await open(), await open()]
  for (const stream of streams) t.deepEqual(await dataOf(stream, 2), [REDACTED, REDACTED])
  await hub.publish('news', { data: SECRETS })
  for (const stream of streams) t.deepEqual(await dataOf(stream, 1), [REDACTED])
})

test('a source’s events are redacted, too', async t => {
  const { open } = await openEndpoint(
    t,
    {
      subscribe: async function* () {
        yield { data: SECRETS }
      },
    },
    { hub: { redact } },
  )
  t.deepEqual(await dataOf(await open(), 1), [REDACTED])
})

test('what `toJSON` makes is redacted; strings, numbers and nothing are not looked into', async t => {
  const { hub, open } = await openEndpoint(t, {}, { hub: { redact } })
  const stream = await open()
  const account = { toJSON: () => SECRETS }
  const given = [account, JSON.stringify(SECRETS), 5, null, [], { card: null }]
  for (const data of given) await hub.publish('news', { data })
  await hub.publish('news', { event: 'message' })
  t.deepEqual(await dataOf(stream, 7), [REDACTED, JSON.stringify(SECRETS), '5', 'null', '[]', '{"card":null}', ''])
})

const own: [what: string, redact: Redact, text: string][] = [
  ['answers JSON', redactor({ paths: PATHS }), REDACTED],
  ['changes its copy', data => Object.assign(data, { card: 0, user: 0 }), '{"user":0,"card":0}'],
  ['answers something else', () => [1], '[1]'],
]
for (const [what, redact, text] of own) {
  test(`a function that ${what} will do`, async t => {
    const { hub, open } = await openEndpoint(t, {}, { hub: { redact } })
    const stream = await open()
    await hub.publish('news', { data: SECRETS })
    t.deepEqual(await dataOf(stream, 1), [text])
    t.is(SECRETS.user.password, 'SECRET')
  })
}

test('where redaction fails or answers nothing, nothing is sent', async t => {
  const failing: Redact[] = [
    () => {
      throw new Error('broken')
    },
    () => undefined,
    () => () => 'a function',
  ]
  for (const redact of failing) {
    const { hub, open } = await openEndpoint(t, {}, { hub: { redact } })
    const stream = await open()
    await t.throwsAsync(hub.publish('news', { data: SECRETS }), { code: 'ERR_EVENT_INVALID' })
    await hub.publish('news', { data: 'next' })
    t.deepEqual(await dataOf(stream, 1), ['next'])
  }
})

test('Redis never sees what is redacted, from hubs or from workers', async t => {
  const redis = await startRedis(t)
  const { hub, open } = await openEndpoint(
    t,
    {},
    { hub: { redact, broker: redisBroker({ ...PATIENT, client: redis.url }) } },
  )
  const stream = await open()
  const admin = new Redis(redis.url)
  const publisher = createPublisher({ ...PATIENT, client: redis.url, redact })
  t.teardown(async () => {
    admin.disconnect()
    await publisher.close()
  })
  const published: string[] = []
  const spy = admin.duplicate()
  t.teardown(async () => spy.disconnect())
  await spy.psubscribe('*')
  spy.on('pmessage', (_pattern, _channel, message: string) => published.push(message))
  await hub.publish('news', { data: SECRETS })
  await publisher.publish('news', { data: SECRETS })
  t.deepEqual(await dataOf(stream, 2), [REDACTED, REDACTED])
  const history = JSON.stringify(await admin.xrange('{events}:events:news', '-', '+'))
  t.true(history.includes('[REDACTED]'))
  await spy.ping()
  t.is(published.length, 2)
  t.false((history + published.join()).includes('SECRET'))
})

test('the option is checked', t => {
  for (const wrong of [PATHS, 'password', null, {}] as unknown[]) {
    t.throws(() => createHub({ redact: wrong as Redact }), { instanceOf: TypeError, message: /`redact`/ })
    const client = 'redis://127.0.0.1:1'
    t.throws(() => createPublisher({ ...PATIENT, client, redact: wrong as Redact }), { message: /`redact`/ })
  }
})
