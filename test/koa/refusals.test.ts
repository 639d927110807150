import test from 'ava'
import {
  AuthenticationError,
  memoryBroker,
  type AuthenticationFailure,
  type Authenticator,
  type Broker,
} from 'koa-event-stream'
import { Deferred } from '../support/deferred.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { byName, HeldResolver, openEndpoint, type Setup, type StreamOptions } from './endpoint.ts'
import { onEveryKoa } from './every-koa.ts'

const SECRET = 'what only the operator may read'

const cookie: Authenticator = { ...byName, ambient: true, challenge: 'Cookie realm="events"' }

const failing = (failure: AuthenticationFailure, challenge?: string): Authenticator => ({
  ...byName,
  authenticate: () => {
    throw new AuthenticationError(failure, SECRET, challenge === undefined ? {} : { challenge })
  },
})

interface Refusal {
  readonly title: string
  readonly options: StreamOptions
  readonly setup?: Setup
  readonly headers?: Record<string, string>
  /** As the hub tells it. */
  readonly story: string
  readonly text: string
  readonly challenge?: string
  readonly causes?: number
}

const brokenBroker = (): Broker => {
  const working = memoryBroker()
  return Object.assign(Object.create(working) as Broker, {
    listen: () => undefined,
    close: async () => undefined,
    unsubscribe: () => undefined,
    subscribe: () => Promise.reject(new Error(SECRET)),
  })
}

const refusals: Refusal[] = [
  {
    title: 'nobody knows the credentials',
    options: { authenticate: [byName, cookie] },
    headers: { 'x-user': '' },
    story: 'refuse unauthenticated 401',
    text: 'Unauthorized',
    challenge: 'Name realm="events", Cookie realm="events"',
  },
  {
    title: 'rejected, with a challenge of its own',
    options: { authenticate: [failing('rejected', 'Name error="expired"'), byName] },
    story: 'refuse unauthenticated 401',
    text: 'Unauthorized',
    challenge: 'Name error="expired"',
    causes: 1,
  },
  {
    title: 'rejected, without one',
    options: { authenticate: failing('rejected') },
    story: 'refuse unauthenticated 401',
    text: 'Unauthorized',
    challenge: 'Name realm="events"',
    causes: 1,
  },
  {
    title: 'malformed',
    options: { authenticate: failing('malformed', 'Name error="invalid_request"') },
    story: 'refuse unauthenticated 400',
    text: 'Bad Request',
    challenge: 'Name error="invalid_request"',
    causes: 1,
  },
  {
    title: 'forbidden',
    options: { authenticate: failing('forbidden', 'Name scope="news"') },
    story: 'refuse forbidden 403',
    text: 'Forbidden',
    challenge: 'Name scope="news"',
    causes: 1,
  },
  {
    title: 'unavailable',
    options: { authenticate: failing('unavailable', 'Name realm="events"') },
    story: 'refuse unavailable 503',
    text: 'Service Unavailable',
    causes: 1,
  },
  {
    title: 'a foreign page with the cookie',
    options: { authenticate: cookie },
    headers: { origin: 'https://evil.example' },
    story: 'refuse origin 403',
    causes: 1,
    text: 'Forbidden',
  },
  {
    title: 'the login ended meanwhile',
    options: {
      authenticate: { ...byName, revalidation: { interval: 60_000, grace: 60_000, holds: () => false } },
    },
    story: 'refuse unauthenticated 401',
    text: 'Unauthorized',
    challenge: 'Name realm="events"',
  },
  {
    title: 'nobody can tell whether the login ended meanwhile',
    options: {
      authenticate: {
        ...byName,
        revalidation: { interval: 60_000, grace: 60_000, holds: () => Promise.reject(new Error(SECRET)) },
      },
    },
    story: 'refuse unavailable 503',
    text: 'Service Unavailable',
    causes: 1,
  },
]

for (const { title, options, setup, headers = {}, story, text, challenge, causes = 0 } of refusals) {
  onEveryKoa(`refused: ${title}`, async (t, Koa) => {
    const endpoint = await openEndpoint(t, options, { ...setup, Koa })
    const answer = await endpoint.open({ headers })
    t.is(`${answer.status}`, story.slice(-3))
    t.is(await answer.text(), text)
    t.like(answer.headers, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' })
    t.is(answer.headers['www-authenticate'], challenge)
    t.is(answer.headers['retry-after'], undefined)
    t.notRegex(JSON.stringify(answer.headers), new RegExp(SECRET))
    t.deepEqual(endpoint.story, [story])
    t.is(endpoint.causes.length, causes)
    t.is(endpoint.hub.stats().opened, 0)
  })
}

for (const [overload, status, text] of [
  ['postpone', 200, /^retry: \d+\nevent: goaway\ndata: {"reason":"overload"}\n\n$/],
  ['reject', 503, /^Service Unavailable$/],
] as const) {
  test(`while the broker is down, clients are sent away for a while: ${overload}`, async t => {
    const { open, story, causes, isEmpty } = await openEndpoint(t, { overload }, { hub: { broker: brokenBroker() } })
    const answer = await open()
    t.is(answer.status, status)
    t.regex(await answer.text(), text)
    t.is(answer.headers['retry-after'] === undefined, overload === 'postpone')
    t.deepEqual(story, [`refuse broker ${status}`])
    t.is(causes.length, 1)
    await isEmpty()
  })
}

test('whoever cannot tell in time whether the login still holds is not waited for', async t => {
  const clock = new ManualClock()
  const asked = new Deferred<void>()
  const holds = () => {
    asked.resolve()
    return new Promise<boolean>(() => {})
  }
  const { open, story, isEmpty } = await openEndpoint(
    t,
    { authenticate: { ...byName, revalidation: { interval: 60_000, grace: 60_000, holds } } },
    { hub: { clock } },
  )
  const opening = open()
  await asked.promise
  clock.advance(10_000)
  t.is((await opening).status, 503)
  await isEmpty()
  t.deepEqual(story, ['refuse unavailable 503'])
})

for (const [title, options] of [
  ['whose resolver has nothing to say', { subscribe: () => null }],
  ['over a limit', { subscribe: () => 'news', limits: { identity: 1 } }],
] as [string, StreamOptions][]) {
  test(`a request ${title} is forgotten, and that is not waited for beyond its time`, async t => {
    const clock = new ManualClock()
    const forgetting = new Deferred<void>()
    const forget = () => {
      forgetting.resolve()
      return new Promise<void>(() => {})
    }
    const { open, story } = await openEndpoint(
      t,
      { ...options, authenticate: { ...byName, forget } },
      { hub: { clock } },
    )
    if (options.limits) await open()
    const opening = open()
    await forgetting.promise
    clock.advance(10_000)
    t.is((await opening).status, options.limits ? 200 : 204)
    t.is(story.at(-1), 'fault forget')
  })
}

test('an authenticator that breaks is an error of the application: 500, nothing said of it, and no place taken', async t => {
  const authenticate = () => Promise.reject(new Error(SECRET))
  const { open, errors, story } = await openEndpoint(
    t,
    { authenticate: { ...byName, authenticate } },
    { expectsErrors: true },
  )
  const answer = await open()
  t.is(answer.status, 500)
  t.is(await answer.text(), 'Internal Server Error')
  t.is(errors.length, 1)
  t.deepEqual(story, ['refuse unavailable 500'])
})

for (const [reason, status, text] of [
  ['logout', 401, 'Unauthorized'],
  ['revoked', 401, 'Unauthorized'],
  ['done', 204, ''],
  ['server', 200, /^retry: \d+\nevent: goaway\ndata: {"reason":"server"}\n\n$/],
] as const) {
  test(`a stream that is closed as ${reason} before it began is answered with ${status}`, async t => {
    const { subscribe, asked, answer } = new HeldResolver()
    const { open, hub, story } = await openEndpoint(t, { subscribe })
    const opening = open()
    const { stream } = await asked
    await hub.disconnect({ identity: 'ann' }, reason)
    t.is(stream.signal.reason, reason)
    answer('news')
    const response = await opening
    t.is(response.status, status)
    const body = await response.text()
    if (typeof text === 'string') t.is(body, text)
    else t.regex(body, text)
    t.false(story.includes('open'))
  })
}
