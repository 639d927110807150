import test, { type ExecutionContext } from 'ava'
import Koa, { type Middleware } from 'koa'
import {
  createHub,
  createIdentity,
  eventStream,
  EventStreamError,
  memoryBroker,
  publishRoute,
  type Authenticator,
  type HubEvents,
  type PublishRouteOptions,
} from 'koa-event-stream'
import { openStream, serve } from '../support/http.ts'

const authenticate: Authenticator = {
  scheme: 'key',
  challenge: 'Key realm="events"',
  ambient: false,
  authenticate: ctx =>
    ctx.get('x-user') === '' ? undefined : createIdentity({ id: ctx.get('x-user'), scheme: 'key' }),
}

interface Site {
  readonly broker: ReturnType<typeof memoryBroker>
  readonly faults: HubEvents['fault'][0][]
  /** Posts as a user, and answers the status and the body. */
  post(body: unknown, headers?: Record<string, string>): Promise<{ status: number; body: unknown; headers: Headers }>
  /** The texts of all that is in the history of a topic. */
  history(topic: string): Promise<string[]>
}

async function openSite(
  t: ExecutionContext,
  options: Partial<Omit<PublishRouteOptions, 'hub' | 'authenticate'>> = {},
  before: Middleware[] = [],
): Promise<Site> {
  const broker = memoryBroker()
  const hub = createHub({ broker, maxEventBytes: 1_024 })
  t.teardown(() => hub.close())
  const faults: Site['faults'] = []
  hub.on('fault', fault => faults.push(fault))
  hub.on('refuse', () => undefined)
  const app = new Koa()
  app.on('error', error => t.fail(String(error)))
  for (const middleware of before) app.use(middleware)
  const may = (identity: { id: string }, topics: readonly string[]) =>
    topics.every(topic => topic !== 'secret') || identity.id === 'root'
  const events = eventStream({
    hub,
    authenticate: false,
    subscribe: (_, { query }) => ({ topic: String(query.topic), replay: 100 }),
  })
  app.use((ctx, next) => (ctx.path === '/events' ? events(ctx) : next()))
  app.use(publishRoute({ hub, authenticate, may, ...options }))
  const { url } = await serve(app, t)
  return {
    broker,
    faults,
    async post(body, headers = {}) {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'x-user': 'ann', 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      })
      const text = await response.text()
      const isJson = response.headers.get('content-type')?.startsWith('application/json')
      return { status: response.status, body: isJson ? JSON.parse(text) : text, headers: response.headers }
    },
    async history(topic) {
      const stream = await openStream(`${url}/events?topic=${topic}`)
      const texts: string[] = []
      for (let block = await stream.next(); block.event !== 'cursor'; block = await stream.next())
        texts.push(block.data)
      stream.close()
      return texts
    },
  }
}

test('one event: its id is answered once it is in the log, in the body and for the page’s own client', async t => {
  const { post, history } = await openSite(t)
  const { status, body, headers } = await post({ topics: 'orders', event: 'order.created', data: { total: 42 } })
  t.is(status, 200)
  const { ids } = body as { ids: string[] }
  t.is(headers.get('event-id'), ids.join())
  t.is(headers.get('cache-control'), 'no-store')
  t.deepEqual(await history('orders'), ['{"total":42}'])
})

test('a batch is published in its order, or not at all', async t => {
  const { post, history } = await openSite(t)
  const batch = [1, 2, 3].map(data => ({ topics: ['a', 'b'], data }))
  const { body } = await post(batch)
  t.is((body as { ids: string[] }).ids.length, 3)
  t.like(await post([...batch, { topics: 'a', event: 'two\nlines' }]), { status: 400, body: { index: 3 } })
  t.like(await post([...batch, { topics: 'secret', data: 4 }]), { status: 403, body: { index: 3 } })
  t.like(await post([...batch, { topics: 'a', data: 'x'.repeat(2_000) }]), { status: 413, body: { index: 3 } })
  t.deepEqual(await history('b'), ['1', '2', '3'])
})

for (const [title, body] of Object.entries({
  'no JSON': '{',
  'no event': '5',
  null: 'null',
  'no topic': '{"data":1}',
  'a topic that is none': '{"topics":"","data":1}',
  'topics that are none': '{"topics":5,"data":1}',
  'an id of its own': '{"topics":"a","data":1,"id":"7"}',
  'an unknown field': '{"topics":"a","data":1,"retry":7}',
  'an empty batch': '[]',
  'a batch that is too large': JSON.stringify(Array(101).fill({ topics: 'a', data: 1 })),
})) {
  test(`400, with what is wrong: ${title}`, async t => {
    const { post } = await openSite(t)
    const answer = await post(body)
    t.is(answer.status, 400)
    t.regex((answer.body as { error: string }).error, /./)
  })
}

test('what is no JSON, what is too large and what is no POST are refused, and the body of a parser in front is taken', async t => {
  const { post } = await openSite(t, { maxBodyBytes: 1_024 })
  t.is((await post('topics=a', { 'content-type': 'application/x-www-form-urlencoded' })).status, 415)
  t.is((await post(' '.repeat(2_000))).status, 413)
  const parsed = await openSite(t, {}, [
    async (ctx, next) => {
      ctx.request.body = { topics: 'a', data: 7 }
      await next()
    },
  ])
  t.is((await parsed.post('{}')).status, 200)
  t.deepEqual(await parsed.history('a'), ['7'])
})

test('who is not known publishes nothing', async t => {
  const { post, history } = await openSite(t)
  t.is((await post({ topics: 'a', data: 1 }, { 'x-user': '' })).status, 401)
  t.deepEqual(await history('a'), [])
})

test('a request that is repeated with its key publishes nothing again, and keys are each user’s own', async t => {
  const { post, history } = await openSite(t)
  const batch = [1, 2].map(data => ({ topics: 'a', data }))
  const first = await post(batch, { 'idempotency-key': 'one' })
  t.deepEqual((await post(batch, { 'idempotency-key': 'one' })).body, first.body)
  t.notDeepEqual((await post(batch, { 'idempotency-key': 'one', 'x-user': 'ben' })).body, first.body)
  t.is((await post(batch, { 'idempotency-key': 'x'.repeat(129) })).status, 400)
  t.deepEqual(await history('a'), ['1', '2', '1', '2'])
})

test('a log that fails in the middle: 503 tells what was published, and the key lets the rest follow', async t => {
  const { broker, post, history } = await openSite(t)
  const publish = broker.publish.bind(broker)
  let calls = 0
  broker.publish = async (...args) => {
    calls += 1
    if (calls === 2) throw new EventStreamError('ERR_BROKER', 'away')
    return publish(...args)
  }
  const batch = [1, 2, 3].map(data => ({ topics: 'a', data }))
  const broken = await post(batch, { 'idempotency-key': 'again' })
  t.is(broken.status, 503)
  t.is(broken.headers.get('retry-after'), '1')
  const { ids } = broken.body as { ids: string[] }
  t.is(ids.length, 1)
  const repeated = await post(batch, { 'idempotency-key': 'again' })
  t.is((repeated.body as { ids: string[] }).ids[0], ids[0])
  t.deepEqual(await history('a'), ['1', '2', '3'])
})

test('a `may` that throws, rejects, hangs or answers junk lets nobody in', async t => {
  for (const [may, status] of [
    [
      () => {
        throw new Error('no')
      },
      503,
    ],
    [() => Promise.reject(new Error('no')), 503],
    [() => new Promise(() => undefined), 503],
    [() => 'yes', 403],
    [() => undefined, 403],
  ] as const) {
    const { post, history, faults } = await openSite(t, { may: may as () => boolean, limits: { timeout: 50 } })
    t.is((await post({ topics: 'a', data: 1 })).status, status)
    t.is(faults.filter(({ during }) => during === 'may').length, status === 503 ? 1 : 0)
    t.deepEqual(await history('a'), [])
  }
})

test('a wrong option is refused at start-up', t => {
  const hub = createHub()
  const may = () => true
  t.throws(() => publishRoute({ hub, authenticate } as never), { instanceOf: TypeError, message: /`may`/ })
  t.throws(() => publishRoute({ hub, authenticate, may, maxBodyBytes: 1 }), { message: /`maxBodyBytes`/ })
  t.throws(() => publishRoute({ hub, authenticate: false as never, may }), { message: /`authenticate`/ })
  t.throws(() => publishRoute({ hub, authenticate, may, refuse: () => undefined } as never), { message: /`refuse`/ })
})
