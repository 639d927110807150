import test from 'ava'
import { createHub, memoryBroker } from 'koa-event-stream'
import { metrics } from 'koa-event-stream/prometheus'
import { Counter, Registry } from 'prom-client'
import { REFUSAL_REASONS } from '../../lib/hub/lifecycle.ts'
import { MAX_KINDS } from '../../lib/metrics/topic-kinds.ts'
import { CLOSE_REASONS } from '../../lib/stream/close-reason.ts'
import { openStream, type ReceivedStream } from '../support/http.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'
import { openMetered } from './site.ts'

const isCursor = ({ event }: { event: string }) => event === 'cursor'

test('what is published and delivered is counted by kinds of topics, and its lag is measured', async t => {
  const site = await openMetered(t, { metrics: { topic: topic => topic.split(':')[0] ?? '' } })
  const streams = await Promise.all([site.open('order:1'), site.open('order:1,news')])
  for (const stream of streams) await stream.next(isCursor)
  await site.hub.publish('order:1', { data: 'one' })
  await site.hub.publish(['order:1', 'news'], { data: 'two' })
  await site.hub.publish('nobody', { data: 'three' })
  for (const stream of streams) await stream.next(({ data }) => data === 'two')
  const scrape = await site.until('delivered_total{topic="order"}', value => value === 4)
  t.is(scrape.value('published_total{topic="order"}'), 2)
  t.is(scrape.value('published_total{topic="nobody"}'), 1)
  t.is(scrape.value('publish_seconds_count'), 3)
  t.is(scrape.value('broker_lag_seconds_count'), 2)
  t.is(scrape.value('delivery_lag_seconds_count'), 2)
  t.true(scrape.value('delivery_lag_seconds_sum') > 0)
  t.is(scrape.value('streams'), 2)
  t.is(scrape.value('topics'), 2)
  t.is(scrape.value('ready'), 1)
  t.is(scrape.value('first_byte_seconds_count'), 2)
  t.is(scrape.value('opening_seconds_count{kind="newcomer"}'), 2)
  for (const stream of streams) stream.close()
  const after = await site.until('streams_closed_total{reason="client"}', value => value === 2)
  t.is(after.value('stream_seconds_count'), 2)
  const bodies = await Promise.all(streams.map(stream => stream.text()))
  t.is(after.value('sent_bytes_total'), bodies.join('').length)
})

test('who resumes is told from who is a newcomer, and from who has lost events', async t => {
  const site = await openMetered(t)
  const first = await site.open('news')
  const { id = '' } = await first.next(isCursor)
  first.close()
  await site.until('streams', value => value === 0)
  for (const data of ['one', 'two', 'three']) await site.hub.publish('news', { data })
  const resumed = await site.open('news', { headers: { 'last-event-id': id } })
  await resumed.next(isCursor)
  const lost = await site.open('news', { headers: { 'last-event-id': 'elsewhere-1' } })
  await lost.next(isCursor)
  const scrape = await site.until('opening_seconds_count{kind="gap"}', value => value === 1)
  t.is(scrape.value('opening_seconds_count{kind="resumed"}'), 1)
  t.is(scrape.value('opening_seconds_count{kind="newcomer"}'), 1)
  t.is(scrape.value('gaps_total{reason="epoch"}'), 1)
  t.is(scrape.value('replayed_events_sum'), 3)
  t.is(scrape.value('delivered_total{topic="all"}'), 3)
  t.is(scrape.value('delivery_lag_seconds_count'), 0, 'history is no delivery that is late')
})

test('a publish that is rejected is counted by its code, a refusal by its reason, a fault once', async t => {
  const site = await openMetered(t, { limits: { identity: 1, address: 50_000 }, hub: { maxEventBytes: 100 } })
  await t.throwsAsync(site.hub.publish('news', { data: 'x'.repeat(200) }))
  await t.throwsAsync(site.hub.publish('', { data: 'x' }))
  await t.throwsAsync(site.hub.publish('news', { data: 'x' }, { key: '' }))
  site.hub.on('open', () => {
    throw new Error('a listener that fails')
  })
  const stream = await site.open('news')
  await stream.next(isCursor)
  const scrape = await site.scrape()
  t.is(scrape.value('publish_failed_total{code="ERR_EVENT_TOO_LARGE"}'), 1)
  t.is(scrape.value('publish_failed_total{code="ERR_TOPIC_INVALID"}'), 1)
  t.is(scrape.value('publish_failed_total{code="other"}'), 1)
  t.is(scrape.value('faults_total'), 1)
  const junk = await site.open('news', { headers: { accept: 'text/html' } })
  t.is(junk.status, 406)
  t.is((await site.scrape()).value('requests_refused_total{reason="not-acceptable"}'), 1)
})

test('every value of a closed vocabulary is there from the start', async t => {
  const site = await openMetered(t)
  const { samples } = await site.scrape()
  for (const reason of CLOSE_REASONS) t.is(samples.get(`streams_closed_total{reason="${reason}"}`), 0)
  for (const reason of REFUSAL_REASONS) t.is(samples.get(`requests_refused_total{reason="${reason}"}`), 0)
  for (const reason of ['trimmed', 'epoch', 'unknown', 'overflow']) {
    t.is(samples.get(`gaps_total{reason="${reason}"}`), 0)
  }
})

test('neither topics nor identities are in a scrape', async t => {
  const site = await openMetered(t)
  const stream = await site.open('secret-topic&user=secret-person')
  await stream.next(isCursor)
  await site.hub.publish('secret-topic', { event: 'secret-event', data: 'secret-data' }, { key: 'secret-key' })
  await stream.next(({ data }) => data === 'secret-data')
  const { text } = await site.until('delivered_total{topic="all"}', value => value === 1)
  t.notRegex(text, /secret/)
  stream.close()
})

test('the first hundred kinds of topics count, and all others together', async t => {
  const site = await openMetered(t, { metrics: { topic: topic => topic } })
  for (let n = 0; n < MAX_KINDS + 50; n += 1) await site.hub.publish(`kind-${String(n)}`, { data: '' })
  await site.hub.publish('kind-7', { data: '' })
  const { samples } = await site.scrape()
  t.is([...samples.keys()].filter(name => name.startsWith('published_total')).length, MAX_KINDS + 1)
  t.is(samples.get('published_total{topic="kind-7"}'), 2)
  t.is(samples.get('published_total{topic="other"}'), 50)
})

test.serial('a function of topics that fails or answers junk harms nobody', async t => {
  const answers: unknown[] = ['x'.repeat(101), '', 7, undefined, Promise.reject(new Error('later'))]
  const warnings: string[] = []
  const note = (warning: Error & { code?: string }) => warnings.push(warning.code ?? '')
  process.on('warning', note)
  t.teardown(() => process.off('warning', note))
  const site = await openMetered(t, {
    metrics: {
      topic: () => {
        if (answers.length === 0) throw new Error('no more')
        return answers.shift() as string
      },
    },
  })
  for (let n = 0; n < 7; n += 1) await site.hub.publish('news', { data: '' })
  t.is((await site.scrape()).value('published_total{topic="other"}'), 7)
  await new Promise(setImmediate)
  t.deepEqual(
    warnings.filter(code => code === 'TOPIC_KIND'),
    ['TOPIC_KIND'],
  )
})

test('a slow client that is dropped to the present is told of by its gap, and by how long it was behind', async t => {
  const buffer = { bytes: 500_000, policy: 'drop' as const }
  const site = await openMetered(t, { buffer, hub: { broker: memoryBroker({ history: { bytes: 1_000_000_000 } }) } })
  const way = await openTcpProxy(site.port, t)
  const client = await openStream(`${way.url}/?topics=news`)
  await client.next(isCursor)
  way.hold()
  // The kernel takes some megabytes, then the buffer fills, and then nothing more is kept.
  for (let kept = 0, before = -1; kept === 0 || kept !== before;) {
    for (let n = 0; n < 20; n += 1) {
      await site.hub.publish('news', { data: 'x'.repeat(100_000) })
      await new Promise(setImmediate)
    }
    before = kept
    kept = site.hub.stats().bufferedBytes
  }
  t.true((await site.scrape()).value('buffered_bytes') > 0)
  way.mend()
  const scrape = await site.until('gaps_total{reason="overflow"}', value => value > 0)
  t.is(scrape.value('behind_seconds_count'), scrape.value('gaps_total{reason="overflow"}'))
})

test('after close nothing is measured any more, and the names are free', async t => {
  const site = await openMetered(t)
  const { register, metrics: first } = site
  new Counter({ name: 'orders_total', help: 'Orders.', registers: [register] })
  await site.hub.publish('news', { data: '' })
  t.is((await site.scrape()).value('published_total{topic="all"}'), 1)
  first.close()
  await site.hub.publish('news', { data: '' })
  t.deepEqual([...(await site.scrape()).samples], [['orders_total', 0]])

  const again = metrics(site.hub, { register })
  first.close()
  await site.hub.publish('news', { data: '' })
  t.is((await site.scrape()).value('published_total{topic="all"}'), 1)
  t.is((await site.scrape()).value('ready'), 1)
  again.close()
})

test('hubs of one process are measured apart', async t => {
  const register = new Registry()
  const one = createHub()
  const other = createHub()
  metrics(one, { register, prefix: 'one_' })
  metrics(other, { register, prefix: 'other_' })
  await one.publish('news', { data: '' })
  const text = await register.metrics()
  t.regex(text, /^one_published_total\{topic="all"\} 1$/m)
  t.notRegex(text, /^other_published_total\{/m)
  t.throws(() => metrics(one, { register, prefix: 'one_' }), { message: /one_ready/ })
})

test('wrong options are refused at start-up', t => {
  const hub = createHub()
  const register = new Registry()
  t.throws(() => metrics(hub, {} as never), { instanceOf: TypeError, message: /`register`/ })
  t.throws(() => metrics(hub, { register, prefix: '1 x' }), { instanceOf: TypeError, message: /`prefix`/ })
  t.throws(() => metrics(hub, { register, topic: 'x' as never }), { instanceOf: TypeError, message: /`topic`/ })
  t.throws(() => metrics(hub, { register, labels: [] } as never), { instanceOf: TypeError, message: /`labels`/ })
})

test('a scrape is bounded, however many topics and streams there are', async t => {
  const site = await openMetered(t, { metrics: { topic: topic => topic } })
  const streams: ReceivedStream[] = []
  while (streams.length < 1_000) {
    const more = Array.from({ length: 50 }, (_, n) => site.open(`topic-${String(streams.length + n)}`))
    streams.push(...(await Promise.all(more)))
  }
  for (const stream of streams) await stream.next(isCursor)
  for (let n = 0; n < 100_000; n += 1) await site.hub.publish(`topic-${String(n)}`, { data: '' })
  const { text } = await site.until('delivered_total{topic="other"}', value => value === 900)
  t.true(text.length < 100_000, `${String(text.length)} bytes`)
  for (const stream of streams) stream.close()
})
