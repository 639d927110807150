import { createRequire } from 'node:module'
import { inspect } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { Redis as Redis6, type Cluster, type Redis, type RedisOptions } from 'ioredis'
import type { Cluster as Cluster5, Redis as Redis5 } from 'ioredis-5/built/index.js'
import {
  bridgeStream,
  createPublisher,
  redisBroker,
  type ClientOrUrl,
  type RedisBrokerOptions,
} from 'koa-event-stream/redis'
import { Deferred } from '../support/deferred.ts'
import { ioredisVersions } from '../support/ioredis-versions.ts'
import { PATIENT } from '../support/progress.ts'
import { startRedis } from '../support/redis-server.ts'
import { body, connectAdmin, openEngine } from './instance.ts'

/** What a client may be set to for its own use, and what it may do with its answers. */
const SETTINGS: readonly (RedisOptions & { replyMapping?: 'legacy' | 'resp3' })[] = [
  { autoPipeliningIgnoredCommands: ['evalsha', 'publishEvents', 'set'] },
  { autoResendUnfulfilledCommands: true },
  { autoResubscribe: true },
  { blockingTimeout: 1, blockingTimeoutGrace: 0 },
  { clientInfoTag: 'shop', connectionName: 'shop' },
  { commandTimeout: 1 },
  { db: 3 },
  { disableClientInfo: true },
  { enableAutoPipelining: false },
  { enableOfflineQueue: false, lazyConnect: false },
  { enableReadyCheck: false },
  { himportFieldsets: [{ name: 'user', fields: ['name'] }] },
  { keyPrefix: 'shop:' },
  { maxLoadingRetryTime: 0 },
  { maxRetriesPerRequest: null },
  { monitor: true },
  { protocol: 2 },
  { readOnly: true },
  { reconnectOnError: () => 2, retryStrategy: null },
  { replyMapping: 'resp3' },
  { role: 'slave' },
  { scripts: { publishEvents: { lua: 'return 1', numberOfKeys: 0 }, readLog: { lua: 'return 1', readOnly: true } } },
  { sentinelRetryStrategy: () => null },
  { showFriendlyErrorStack: true },
  { socketTimeout: 1 },
  { stringNumbers: true },
]

for (const [version, { Redis }] of ioredisVersions) {
  test(`whatever a client is set to, the broker, its store, its places and the bridge do their work (${version})`, async t => {
    const server = await startRedis(t)
    const tried = SETTINGS.map(async (settings, index) => {
      const [client, admin] = [
        new Redis(server.url, { lazyConnect: true, ...settings }),
        new Redis(server.url, { db: settings.db ?? 0 }),
      ]
      client.on('error', () => {})
      t.teardown(async () => {
        for (const connection of [client, admin]) connection.disconnect()
      })
      const name = `log-${index}`
      await t.notThrowsAsync(async () => {
        await useBroker(t, { ...PATIENT, client, name })
        await useBridge(client, name, admin)
      }, Object.keys(settings).join(' and '))
    })
    await Promise.all(tried)
    t.deepEqual(await connectAdmin(t, server).keys('shop:*'), [])
  })
}

async function useBroker(t: ExecutionContext, options: RedisBrokerOptions): Promise<void> {
  const { broker, recorder } = await openEngine(t, options, ['news'])
  const id = await broker.publish(['news'], body('published'))
  t.deepEqual(await recorder.until(id), [id])
  await broker.announce({ type: 'disconnect', reason: 'revoked', identity: 'ann' })
  await recorder.untilMessages(1)
  await broker.store.set('key', 'value', 60_000)
  t.is(await broker.store.take('key'), 'value')
  t.true(await broker.leases.lease({ key: 'ann', holder: 'one' }, 60_000, 1))
  t.false(await broker.leases.lease({ key: 'ann', holder: 'other' }, 60_000, 1))
  const late = await openEngine(t, options, ['news'])
  await late.broker.load(['news'], 0)
  t.is(late.broker.read('news', 0, 10).events.length, 1)
}

/** Resolves when an entry has gone through a bridge and is acknowledged. */
async function useBridge(client: Redis, stream: string, admin: Redis): Promise<void> {
  await admin.xadd(stream, '*', 'topic', 'news', 'data', 'bridged')
  const published = new Deferred<undefined>()
  const bridge = bridgeStream({
    client,
    stream,
    target: {
      publish: async () => {
        published.resolve(undefined)
        return 'id'
      },
    },
    onError: error => published.reject(error),
  })
  await published.promise
  await bridge.close()
  if (await admin.xlen(`${stream}:rejected`)) throw new Error('the bridge has rejected the entry')
}

test('the types take clients of every version, whatever shape their answers have, and of no other package', async t => {
  const take = (client: Redis5 | Cluster5 | Redis<'resp3'> | Cluster<'resp3'>): ClientOrUrl => client
  // @ts-expect-error -- a client of another package
  const refuse = (client: { options: object; duplicate: () => unknown }): ClientOrUrl => client
  t.not(take, refuse)
})

test('what is no client of a supported ioredis is refused with what would be one', t => {
  const expected = /^`client` .*must be an ioredis 5 or 6 client, or a redis:\/\/ or rediss:\/\/ URL/
  // As the client of the package `redis` is, which has these.
  const otherPackage = { options: {}, duplicate: () => otherPackage, sSubscribe: () => undefined }
  for (const client of [otherPackage, {}, null, undefined, 'http://127.0.0.1', Redis6]) {
    const error = t.throws(() => redisBroker({ client: client as never }), { instanceOf: TypeError })
    t.regex(error.message, expected)
  }
})

const WRONG_URLS = [
  'redis://u:s3cret@host:port',
  'redis://u:s3cret@host:0',
  'redis://u:s3cret@host:65536',
  'redis://u:s3cret@ho st:6379',
  'redis://u:s3cret@[::1',
  'redis://u:s3cret%@host',
  'rediss://u%:s3cret@host',
  'redis://u:s3cret@host/shop',
  'redis://u:s3cret@host/1shop',
  'redis://u:s3cret@host/1/2',
  'redis://u:s3cret@host?db=shop',
  'redis://u:s3cret@host?port=http',
]

test('a URL that is of no use is refused as a wrong client, and nothing shows what is in it', t => {
  const makers = [
    (client: string) => redisBroker({ client }),
    (client: string) => createPublisher({ client }),
    (client: string) => bridgeStream({ client, stream: 's', target: { publish: async () => 'id' } }),
  ]
  for (const url of WRONG_URLS) {
    for (const make of makers) {
      const error = t.throws(() => make(url), { instanceOf: TypeError, message: /^`client` must be / }, url)
      t.notRegex(inspect([error.message, error.cause, Object.entries(error)]), /s3cret|shop|u%/)
    }
  }
})

test('a URL may have whatever ioredis understands', async t => {
  const urls = ['redis://host', 'rediss://host:1/', 'redis://:p%25w@[::1]:6379/15?family=6', 'redis://host?db=3']
  for (const client of urls) await t.notThrowsAsync(redisBroker({ client }).close(), client)
})

test('a client of the ioredis 4 that koa-redis brings along is refused by name', t => {
  const { resolve } = createRequire(import.meta.url)
  const ioredis4 = createRequire(resolve('koa-redis'))('ioredis') as typeof Redis6 & { Cluster: typeof Cluster }
  for (const client of [
    new ioredis4({ lazyConnect: true }),
    new ioredis4.Cluster(['redis://127.0.0.1:1'], { lazyConnect: true }),
  ]) {
    t.throws(() => redisBroker({ client }), {
      instanceOf: TypeError,
      message:
        /^`client` is an ioredis 4 client \(koa-redis depends on that version\); it must be an ioredis 5 or 6 client/,
    })
  }
})
