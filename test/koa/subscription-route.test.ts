import test, { type ExecutionContext } from 'ava'
import Koa, { type Middleware } from 'koa'
import {
  createHub,
  createIdentity,
  eventStream,
  EventStreamError,
  memoryBroker,
  subscriptionRoute,
  type Authenticator,
  type HubEvents,
  type SubscriptionRouteOptions,
} from 'koa-event-stream'
import { Pause } from '../support/pause.ts'
import { openStream, serve, type ReceivedStream } from '../support/http.ts'

const login = (ambient: boolean): Authenticator => ({
  scheme: 'key',
  challenge: 'Key realm="events"',
  ambient,
  authenticate: ctx => {
    const [id = '', session] = ctx.get('x-user').split(' ')
    return id === '' ? undefined : createIdentity({ id, scheme: 'key', ...(session !== undefined && { session }) })
  },
})
const authenticate = login(false)

type Options = Partial<Omit<SubscriptionRouteOptions, 'hub'>>

async function openSite(t: ExecutionContext, options: Options = {}, before: Middleware[] = []) {
  const broker = memoryBroker()
  const hub = createHub({ broker })
  t.teardown(() => hub.close())
  const faults: HubEvents['fault'][0][] = []
  hub.on('fault', fault => faults.push(fault))
  hub.on('refuse', () => undefined)
  const app = new Koa()
  app.on('error', error => t.fail(String(error)))
  for (const middleware of before) app.use(middleware)
  const events = eventStream({ hub, authenticate, limits: { topics: 5 }, subscribe: () => 'base' })
  const may = (_: unknown, { subscribe }: { subscribe: readonly string[] }) => !subscribe.includes('secret')
  const route = subscriptionRoute({ hub, authenticate, may, ...options })
  app.use((ctx, next) => (ctx.path === '/events' ? events(ctx) : route(ctx, next)))
  const { url } = await serve(app, t)
  return {
    hub,
    broker,
    faults,
    async open(user = 'ann'): Promise<{ stream: string; received: ReceivedStream }> {
      const received = await openStream(`${url}/events`, { headers: { 'x-user': user } })
      const { data } = await received.next(({ event }) => event === 'cursor')
      return { stream: (JSON.parse(data) as { stream: string }).stream, received }
    },
    async post(body: unknown, headers: Record<string, string> = {}, method = 'POST') {
      const response = await fetch(url, {
        method,
        headers: { 'x-user': 'ann', 'content-type': 'application/json', ...headers },
        ...(method === 'POST' && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      })
      const text = await response.text()
      const isJson = response.headers.get('content-type')?.startsWith('application/json')
      return { status: response.status, body: (isJson ? JSON.parse(text) : text) as unknown, headers: response.headers }
    },
    /** What a stream is sent of these topics. */
    async texts(received: ReceivedStream, ...topics: string[]): Promise<string[]> {
      for (const topic of topics) await hub.publish(topic, { data: topic })
      await hub.publish('base', { data: 'end' })
      await received.next(({ data }) => data === 'end')
      return received.received.filter(({ event }) => event === 'message').map(({ data }) => data)
    },
  }
}

test('a page changes the topics of its stream, from the cursor on that it is answered', async t => {
  const { hub, open, post, texts } = await openSite(t)
  const { stream, received } = await open()
  const { status, body, headers } = await post({ stream, subscribe: ['room', 'hall'] })
  t.is(status, 200)
  t.deepEqual(body, { streams: 1, since: await hub.cursor(), complete: true })
  t.is(headers.get('cache-control'), 'no-store')
  t.like(await post({ stream, subscribe: ['third'], unsubscribe: ['room'] }), { status: 200 })
  t.deepEqual(await texts(received, 'room', 'hall', 'third'), ['hall', 'third', 'end'])
})

test('a stream of somebody else, or of another session, is no other than one that there is not', async t => {
  const { open, post, texts } = await openSite(t)
  const ben = await open('ben')
  const inSession = await open('ann one')
  const answers = [
    await post({ stream: 'none', subscribe: ['room'] }),
    await post({ stream: ben.stream, subscribe: ['room'], unsubscribe: ['base'] }),
    await post({ stream: inSession.stream, subscribe: ['room'] }, { 'x-user': 'ann two' }),
  ]
  for (const answer of answers) t.like(answer, { status: 404, body: { streams: 0 } })
  t.deepEqual(answers[1]?.body, answers[0]?.body)
  for (const { received } of [ben, inSession]) t.deepEqual(await texts(received, 'room'), ['end'])
})

test('topics that `may` denies, and those beyond the limit, are refused as a whole', async t => {
  const { open, post, texts, faults } = await openSite(t)
  const { stream, received } = await open()
  t.is((await post({ stream, subscribe: ['room', 'secret'], unsubscribe: ['base'] })).status, 403)
  t.is((await post({ stream, subscribe: ['1', '2', '3', '4', '5'] })).status, 409)
  t.like(faults, [{ during: 'hub.subscribe' }])
  t.deepEqual(await texts(received, 'room', '1'), ['end'])
})

test('what is taken away while `may` is being asked stays away', async t => {
  const pause = new Pause()
  const may = async () => {
    // It has read the right by now.
    await pause.wait()
    return true
  }
  const { hub, open, post, texts } = await openSite(t, { may })
  const { stream, received } = await open()
  const asked = post({ stream, subscribe: ['room'] })
  await pause.reached
  await hub.unsubscribe({ identity: 'ann' }, 'room')
  pause.end()
  t.is((await asked).status, 409)
  t.deepEqual(await texts(received, 'room'), ['end'])
  t.is((await post({ stream, subscribe: ['room'] })).status, 200)
})

for (const [title, body] of Object.entries({
  'no JSON': '{',
  'no object': '5',
  null: 'null',
  'a list': '[]',
  'no stream': '{"subscribe":["room"]}',
  'an empty stream': '{"stream":"","subscribe":["room"]}',
  'a stream that is a number': '{"stream":5,"subscribe":["room"]}',
  'a stream without an end': JSON.stringify({ stream: 'x'.repeat(129), subscribe: ['room'] }),
  'no topics': '{"stream":"s"}',
  'no topics in lists': '{"stream":"s","subscribe":[],"unsubscribe":[]}',
  'topics in no list': '{"stream":"s","subscribe":"room"}',
  'topics that are none': '{"stream":"s","subscribe":[5]}',
  'a wildcard': '{"stream":"s","subscribe":["room:*"]}',
  'too many': JSON.stringify({ stream: 's', subscribe: Array(101).fill('room') }),
  both: '{"stream":"s","subscribe":["room"],"unsubscribe":["room"]}',
  'a place that is none': '{"stream":"s","subscribe":["room"],"seen":5}',
  'an identity': '{"stream":"s","subscribe":["room"],"identity":"ben"}',
})) {
  test(`400, with what is wrong: ${title}`, async t => {
    const { post } = await openSite(t)
    const answer = await post(body)
    t.is(answer.status, 400)
    t.regex((answer.body as { error: string }).error, /./)
  })
}

test('who is not known, what is no POST, no JSON, or too large, changes nothing', async t => {
  const { post } = await openSite(t, { maxBodyBytes: 1_024 })
  const wish = { stream: 's', subscribe: ['room'] }
  t.is((await post(wish, { 'x-user': '' })).status, 401)
  t.is((await post(wish, {}, 'GET')).status, 405)
  t.is((await post('stream=s', { 'content-type': 'application/x-www-form-urlencoded' })).status, 415)
  t.is((await post(' '.repeat(2_000))).status, 413)
})

test('a page of another origin cannot use the cookie of its visitor', async t => {
  const { post } = await openSite(t, { authenticate: login(true), origins: ['https://partner.example'] })
  const wish = { stream: 's', subscribe: ['room'] }
  const from = (origin: string) => ({ origin, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors' })
  t.is((await post(wish, from('https://evil.example'))).status, 403)
  t.is((await post(wish, from('https://partner.example'))).status, 404)
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
    const { post, open, faults, texts } = await openSite(t, { may: may as () => boolean, limits: { timeout: 50 } })
    const { stream, received } = await open()
    t.is((await post({ stream, subscribe: ['room'] })).status, status)
    t.is(faults.filter(({ during }) => during === 'may').length, status === 503 ? 1 : 0)
    t.deepEqual(await texts(received, 'room'), ['end'])
  }
})

test('where not all have answered, or the log is away, nobody says that there is no such stream', async t => {
  const { broker, post, open } = await openSite(t, { within: 50 })
  const { stream } = await open()
  await broker.roster.beat('another', 600_000)
  const unknown = await post({ stream: 'none', subscribe: ['room'] })
  t.is(unknown.status, 503)
  t.is(unknown.headers.get('retry-after'), '1')
  broker.announce = () => Promise.reject(new EventStreamError('ERR_BROKER', 'away'))
  t.is((await post({ stream, subscribe: ['room'] })).status, 503)
})

test('a wrong option is refused at start-up', t => {
  const hub = createHub()
  const may = () => true
  t.throws(() => subscriptionRoute({ hub, authenticate } as never), { instanceOf: TypeError, message: /`may`/ })
  t.throws(() => subscriptionRoute({ hub, authenticate, may, maxBodyBytes: 1 }), { message: /`maxBodyBytes`/ })
  t.throws(() => subscriptionRoute({ hub, authenticate, may, within: 0 }), { message: /`within`/ })
  t.throws(() => subscriptionRoute({ hub, authenticate: false as never, may }), { message: /`authenticate`/ })
  t.throws(() => subscriptionRoute({ hub, authenticate, may, refuse: () => undefined } as never), { message: /refuse/ })
})
