import test from 'ava'
import { redisBroker } from 'koa-event-stream/redis'
import { PATIENT } from '../support/progress.ts'
import { startRedis } from '../support/redis-server.ts'
import { openMetered } from './site.ts'

const HOUR = 3_600_000

test('the lag of events from another instance is measured by the clock of Redis, whatever the machines’ say', async t => {
  const redis = await startRedis(t)
  // One machine's clock is an hour ahead, the other's an hour behind.
  const openAhead = (ms: number) => {
    const clock = { now: () => Date.now() + ms, monotonic: () => performance.now() }
    return openMetered(t, { hub: { clock, broker: redisBroker({ client: redis.url, clock, ...PATIENT }) } })
  }
  const one = await openAhead(HOUR)
  const other = await openAhead(-HOUR)
  const streams = await Promise.all([one, other].map(site => site.open('news')))
  for (const stream of streams) await stream.next(({ event }) => event === 'cursor')
  await one.hub.publish('news', { data: 'one' })
  await other.hub.publish('news', { data: 'two' })
  for (const site of [one, other]) {
    const scrape = await site.until('delivery_lag_seconds_count', value => value === 2)
    t.is(scrape.value('broker_lag_seconds_count'), 2)
    for (const name of ['delivery_lag_seconds_sum', 'broker_lag_seconds_sum']) {
      const sum = scrape.value(name)
      t.true(sum >= 0 && sum < 600, `${name} ${String(sum)}`)
    }
    t.is(scrape.value('published_total{topic="all"}'), 1)
    t.is(scrape.value('delivered_total{topic="all"}'), 2)
  }
})

test('a lost Redis is told by readiness, and what was missed by the catch-up', async t => {
  const redis = await startRedis(t)
  const site = await openMetered(t, { hub: { broker: redisBroker({ client: redis.url, ...PATIENT, timeout: 500 }) } })
  const stream = await site.open('news')
  await stream.next(({ event }) => event === 'cursor')
  const before = (await site.scrape()).value('catch_up_seconds_count')
  redis.pause()
  await site.until('ready', value => value === 0)
  await t.throwsAsync(site.hub.publish('news', { data: 'lost' }))
  redis.resume()
  const scrape = await site.until('ready', value => value === 1)
  t.is(scrape.value('broker_lost_total'), 1)
  t.is(scrape.value('publish_failed_total{code="ERR_BROKER"}'), 1)
  t.true(scrape.value('catch_up_seconds_count') > before)
})
