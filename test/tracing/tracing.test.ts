import { context, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type ReadableSpan,
} from '@opentelemetry/sdk-trace-base'
import test, { type ExecutionContext } from 'ava'
import Koa from 'koa'
import { createHub, eventStream, type HubOptions } from 'koa-event-stream'
import { traces, type TracesOptions } from 'koa-event-stream/opentelemetry'
import { redisBroker } from 'koa-event-stream/redis'
import { traced as tracedKoa, SpanLedger } from '../interop/tracing.ts'
import { eventually } from '../support/eventually.ts'
import { openStream, serve } from '../support/http.ts'
import { PATIENT } from '../support/progress.ts'
import { startRedis } from '../support/redis-server.ts'

const TRACE = 'a'.repeat(32)
const PARENT = `00-${TRACE}-${'b'.repeat(16)}-01`
const isCursor = ({ event }: { event: string }) => event === 'cursor'

/** A hub that is traced, behind a real server whose Koa is traced, too. */
async function openTraced(t: ExecutionContext, options: TracesOptions = {}, hubOptions: HubOptions = {}) {
  const exporter = new InMemorySpanExporter()
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
  const hub = createHub(hubOptions)
  hub.on('lost', () => undefined).on('refuse', () => undefined)
  const tracing = traces(hub, { tracerProvider, ...options })
  t.teardown(() => hub.close())
  const { app, request } = tracedKoa(Koa, new SpanLedger())
  app.use(request)
  app.use(
    eventStream({
      hub,
      authenticate: false,
      heartbeat: false,
      subscribe: (_, ctx) => String(ctx.query.topics).split(','),
    }),
  )
  const { url } = await serve(app, t)
  const spans = (name: string) => exporter.getFinishedSpans().filter(span => span.name === name)
  return {
    hub,
    tracing,
    tracer: tracerProvider.getTracer('test'),
    spans,
    open: (topics: string, headers = {}) => openStream(`${url}/?topics=${topics}`, { headers }),
    one: async (name: string): Promise<ReadableSpan> => {
      let found: ReadableSpan | undefined
      await eventually(
        () => (found = spans(name)[0]) !== undefined,
        () => `there is no span ${name}`,
      )
      if (found === undefined) throw new Error('unreachable')
      return found
    },
  }
}

const topic = (name: string) => name.split(':')[0] ?? ''

test('a publish is a span of a producer, and what is delivered is linked to it, over Redis too', async t => {
  const { url } = await startRedis(t)
  const broker = () => redisBroker({ client: url, ...PATIENT })
  const one = await openTraced(t, { topic }, { broker: broker() })
  const other = await openTraced(t, { topic }, { broker: broker() })
  const stream = await other.open('order:1')
  await stream.next(isCursor)
  const id = await one.hub.publish('order:1', { data: 'paid' }, { traceparent: PARENT })
  await stream.next(({ data }) => data === 'paid')
  const publish = await one.one('publish order')
  t.is(publish.kind, SpanKind.PRODUCER)
  t.is(publish.spanContext().traceId, TRACE)
  t.is(publish.parentSpanContext?.spanId, 'b'.repeat(16))
  t.deepEqual(publish.attributes, {
    'messaging.system': 'koa-event-stream',
    'messaging.destination.name': 'order',
    'messaging.destination.template': 'order',
    'messaging.operation.name': 'publish',
    'messaging.operation.type': 'send',
    'messaging.message.id': id,
  })
  const deliver = await other.one('deliver order')
  t.is(deliver.kind, SpanKind.CONSUMER)
  t.is(deliver.parentSpanContext, undefined)
  t.deepEqual(
    deliver.links.map(link => [link.context.traceId, link.context.spanId]),
    [[TRACE, publish.spanContext().spanId]],
  )
  t.is(deliver.attributes['messaging.batch.message_count'], 1)
  t.is(deliver.attributes['koa_event_stream.deliveries'], 1)
  t.is(one.spans('deliver order').length, 0, 'nobody reads it there')
})

test('the span that is active is the parent of a publish, and what comes from history is linked, too', async t => {
  const site = await openTraced(t)
  const first = await site.open('news')
  const { id = '' } = await first.next(isCursor)
  first.close()
  await eventually(
    () => site.hub.stats().streams === 0,
    () => 'the stream is still open',
  )
  const parent = site.tracer.startSpan('order')
  await context.with(trace.setSpan(ROOT_CONTEXT, parent), () => site.hub.publish('news', { data: 'one' }))
  parent.end()
  const publish = await site.one('publish')
  t.is(publish.parentSpanContext?.spanId, parent.spanContext().spanId)
  const stream = await site.open('news', { 'last-event-id': id })
  await stream.next(isCursor)
  const deliver = await site.one('deliver')
  t.is(deliver.links[0]?.context.spanId, publish.spanContext().spanId)
  t.false(deliver.attributes['koa_event_stream.live'])
  const replay = site.spans('replay').find(({ attributes }) => attributes['koa_event_stream.kind'] === 'resumed')
  t.is(replay?.attributes['koa_event_stream.events'], 1)
})

test('opening a stream is a span of its request, which ends when the stream is handed over', async t => {
  const site = await openTraced(t)
  const stream = await site.open('news')
  await stream.next(isCursor)
  const open = await site.one('open')
  t.true(open.attributes['koa_event_stream.opened'])
  t.truthy(open.parentSpanContext, 'it is a child of what Koa’s instrumentation traces')
  t.truthy(await site.one('replay'))
  const refused = await site.open('news', { accept: 'text/html' })
  t.is(refused.status, 406)
  t.deepEqual(
    site.spans('open').map(({ attributes }) => attributes['koa_event_stream.opened']),
    [true, false],
  )
})

test('topics, data and messages of errors are in no span, unless topics are wanted', async t => {
  const site = await openTraced(t, { topic: () => 'kind' })
  const stream = await site.open('secret-topic')
  await stream.next(isCursor)
  await site.hub.publish('secret-topic', { event: 'secret-event', data: 'secret-data' }, { key: 'secret-key' })
  await t.throwsAsync(site.hub.publish('secret\ntopic', { data: 'secret' }))
  await site.one('deliver kind')
  const failed = site.spans('publish kind').find(({ status }) => status.code === SpanStatusCode.ERROR)
  t.is(failed?.attributes['error.type'], 'ERR_TOPIC_INVALID')
  const all = ['publish kind', 'deliver kind', 'open', 'replay'].flatMap(name => site.spans(name))
  const told = all.map(({ name, attributes, events, links, status }) => ({ name, attributes, events, links, status }))
  t.notRegex(JSON.stringify(told), /secret/)

  const open = await openTraced(t, { topic: () => 'kind', topics: true })
  await open.hub.publish('order:1', { data: '' })
  t.like((await open.one('publish kind')).attributes, {
    'messaging.destination.name': 'order:1',
    'messaging.destination.template': 'kind',
  })
})

test('a function of topics that fails, and junk in place of topics, harm nobody', async t => {
  const site = await openTraced(t, {
    topic: () => {
      throw new Error('no')
    },
  })
  await t.notThrowsAsync(site.hub.publish('news', { data: '' }))
  await t.throwsAsync(site.hub.publish(7 as never, { data: '' }), { message: /topic/ })
  await t.throwsAsync(site.hub.publish('news', { data: '' }, { traceparent: 7 as never }), { message: /traceparent/ })
  t.is(site.spans('publish').length, 3)
})

test('an instance that catches up with Redis is traced', async t => {
  const { url } = await startRedis(t)
  const site = await openTraced(t, {}, { broker: redisBroker({ client: url, ...PATIENT }) })
  const catchUp = await site.one('catch up')
  t.is(catchUp.status.code, SpanStatusCode.UNSET)
})

test('after close nothing is traced, and wrong options are refused', async t => {
  const site = await openTraced(t)
  site.tracing.close()
  await site.hub.publish('news', { data: '' })
  t.is(site.spans('publish').length, 0)
  t.throws(() => traces(site.hub, { tracerProvider: 7 as never }), { message: /`tracerProvider`/ })
  t.throws(() => traces(site.hub, { topic: 'x' as never }), { message: /`topic`/ })
  t.throws(() => traces(site.hub, { topicss: true } as never), { message: /`topicss`/ })
})
