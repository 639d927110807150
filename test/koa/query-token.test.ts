import { inspect } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import Koa, { type Middleware } from 'koa'
import {
  bearerToken,
  createHub,
  eventStream,
  queryToken,
  type Authenticator,
  type Identity,
  type QueryTokenOptions,
} from 'koa-event-stream'
import { AUDIENCE, forge, ISSUER, lastingClaims, SECRET } from '../auth/jwt/keys.ts'
import { listen } from '../support/hub-events.ts'
import { openStream, serve } from '../support/http.ts'

const options = {
  key: SECRET,
  algorithms: ['HS256'],
  issuer: ISSUER,
  audience: AUDIENCE,
} as const satisfies QueryTokenOptions
const query = queryToken(options)
const bearer = bearerToken(options)

const token = (changes?: Record<string, unknown>) => forge({ alg: 'HS256' }, lastingClaims(changes), SECRET)

async function openSite(
  t: ExecutionContext,
  authenticate: readonly Authenticator[],
  outer: readonly Middleware[] = [],
) {
  const hub = createHub()
  const seen: Identity[] = []
  const urls: string[] = []
  const app = new Koa()
  app.on('error', error => t.fail(String(error)))
  for (const middleware of outer) app.use(middleware)
  app.use(async (ctx, next) => {
    await next()
    urls.push(ctx.url, ctx.querystring, ctx.originalUrl, ctx.req.url ?? '', ctx.href, inspect(ctx))
  })
  const subscribe = ({ identity }: { identity: Identity }) => {
    seen.push(identity)
    return 'news'
  }
  app.use(eventStream({ hub, authenticate, subscribe }))
  const { url } = await serve(app, t)
  const open = (search: string, headers: Record<string, string> = {}) => openStream(`${url}/${search}`, { headers })
  return { open, seen, urls, ...listen(hub) }
}

test('a token in the query opens a stream, which no cache may keep', async t => {
  const { open, seen, urls } = await openSite(t, [query])
  const good = token({ jti: 'j' })
  const stream = await open(`?topic=a&access_token=${good}`)
  t.is(stream.status, 200)
  t.is((await stream.next()).event, 'cursor')
  t.is(stream.headers['cache-control'], 'no-store, no-transform')
  t.is(stream.headers['referrer-policy'], 'no-referrer')
  t.like(seen, [{ id: 'ada', scheme: 'query', token: 'j' }])
  t.deepEqual(urls.slice(0, 4), ['/?topic=a', 'topic=a', '/?topic=a', '/?topic=a'])
  t.false(urls.join().includes(good))
})

test('a stream without one is answered as ever', async t => {
  const { open } = await openSite(t, [query, bearer])
  const stream = await open('?topic=a', { authorization: `Bearer ${token()}` })
  t.is(stream.headers['cache-control'], 'no-cache, no-transform')
  t.is(stream.headers['referrer-policy'], undefined)
})

for (const [what, search, status, error] of [
  ['none', '', 401, undefined],
  ['an expired one', () => `?access_token=${token({ exp: 1 })}`, 401, 'invalid_token'],
  ['one of another audience', () => `?access_token=${token({ aud: 'x' })}`, 401, 'invalid_token'],
  ['a forged one', () => `?access_token=${token()}x`, 401, 'invalid_token'],
  ['an oversized one', `?access_token=${'a'.repeat(8_193)}`, 401, 'invalid_token'],
  ['two', () => `?access_token=${token()}&access_token=${token()}`, 400, 'invalid_request'],
  ['an empty one', '?access_token=', 400, 'invalid_request'],
  ['no token at all', '?access_token=a%20b', 400, 'invalid_request'],
  ['a line break in it', '?access_token=a%0d%0ab', 400, 'invalid_request'],
] as const) {
  test(`${what}: ${String(status)}`, async t => {
    const { open, urls, refusals } = await openSite(t, [query])
    const text = typeof search === 'string' ? search : search()
    const refused = await open(text)
    t.is(refused.status, status)
    t.is(/error="(\w+)"/.exec(refused.headers['www-authenticate'] ?? '')?.[1], error)
    t.deepEqual(urls.slice(0, 4), ['/', '', '/', '/'])
    const [, secret = '?'] = text.split('=')
    if (secret !== '') t.false((urls.join() + inspect(refusals, { depth: 9 })).includes(secret))
  })
}

for (const [order, list] of [
  ['header, query', [bearer, query]],
  ['query, header', [query, bearer]],
] as const) {
  test(`${order}: either opens a stream; both at once are 400`, async t => {
    const { open, seen } = await openSite(t, list)
    const authorization = `Bearer ${token()}`
    t.is((await open(`?access_token=${token()}`)).status, 200)
    t.is((await open('', { authorization })).status, 200)
    t.is((await open(`?access_token=${token()}`, { authorization: 'Basic YTpi' })).status, 200)
    t.is(seen.length, 3)
    for (const search of [`?access_token=${token()}`, '?access_token=', '?access_token=x']) {
      const refused = await open(search, { authorization })
      t.is(refused.status, 400)
      t.regex(refused.headers['www-authenticate'] ?? '', /error="invalid_request"/)
    }
    t.is(seen.length, 3)
  })
}

test('two issuers may be known by the same parameter only in one authenticator: the first one decides', async t => {
  const other = queryToken({ ...options, issuer: 'https://other.example' })
  const { open } = await openSite(t, [query, other])
  t.is((await open(`?access_token=${token()}`)).status, 200)
  t.is((await open(`?access_token=${token({ iss: 'https://other.example' })}`)).status, 401)
})

test('`hide` keeps the token from middleware that looks first, and for the authenticator', async t => {
  const early: string[] = []
  const look: Middleware = async (ctx, next) => {
    early.push(ctx.url, ctx.originalUrl, inspect(ctx))
    await next()
  }
  const { open } = await openSite(t, [bearer, query], [query.hide, look])
  const good = token()
  t.is((await open(`?access_token=${good}&x=1`)).status, 200)
  t.deepEqual(early.slice(0, 2), ['/?x=1', '/?x=1'])
  t.false(early.join().includes(good))
  t.is((await open(`?access_token=${good}`, { authorization: `Bearer ${good}` })).status, 400)
})

test('wrong options are refused at start-up, by their names', t => {
  for (const [name, wrong] of [
    ['queryToken', { parameter: 'token' }],
    ['param', { param: '' }],
    ['param', { param: 'a b' }],
    ['issuer', { issuer: undefined }],
    ['key', { key: 'short' }],
  ] as const) {
    const error = t.throws(() => queryToken({ ...options, ...wrong } as typeof options), { instanceOf: TypeError })
    t.true(error.message.includes(`\`${name}\``), error.message)
  }
  t.notThrows(() => queryToken({ ...options, param: 'token' }))
})
