/** Programs of the pages of docs/, one a task, as their readers run them. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createPublicKey } from 'node:crypto'
import test from 'ava'
import jwt from 'jsonwebtoken'
import { eventually } from '../support/eventually.ts'
import { openStream } from '../support/http.ts'
import { startRedis } from '../support/redis-server.ts'
import { folder, privateKey, publicKey } from './compiled.ts'
import { importExample, runExample, runPlain, startExample } from './example.ts'

const AT_LOGIN = { issuer: 'https://login.example.com', audience: 'events', expiresIn: '1h' } as const

test('plain JavaScript serves streams, as modules and as CommonJS', async t => {
  for (const name of ['plain.js', 'plain.cjs']) {
    const { url } = await runPlain(t, folder, name)
    const stream = await openStream(url)
    t.is((await stream.next()).event, 'cursor', name)
    stream.close()
  }
})

test('a cookie site: who logs in gets events, and a logout ends the stream', async t => {
  const redis = await startRedis(t)
  const { url } = await runExample(t, folder, 'cookie-site.ts', { REDIS_URL: redis.url })
  const post = (path: string, cookie = '') => fetch(url + path, { method: 'POST', headers: { cookie } })
  let login = await post('/login')
  // Until the site has found its Redis.
  await eventually(
    async () => login.status === 204 || (login = await post('/login')).status === 204,
    () => `nobody can log in: ${login.status}`,
  )
  const cookie = login.headers
    .getSetCookie()
    .map(value => value.split(';')[0])
    .join('; ')
  t.is((await openStream(`${url}/events`)).status, 401)
  const stream = await openStream(`${url}/events`, { headers: { cookie } })
  await stream.next(({ event }) => event === 'cursor')
  await post('/orders')
  t.like(await stream.next(), { event: 'order.created', data: '{"total":42}' })
  await post('/logout', cookie)
  t.like(await stream.next(({ event }) => event === 'goaway'), { data: '{"reason":"logout"}' })
  t.is((await openStream(`${url}/events`, { headers: { cookie } })).status, 401)
})

test('roles of a token decide what is read, keys come from a key server, and a logout revokes', async t => {
  const jwk = { ...createPublicKey(publicKey).export({ format: 'jwk' }), kid: 'k1', alg: 'RS256', use: 'sig' }
  const server = createServer((_, response) => response.end(JSON.stringify({ keys: [jwk] })))
  t.teardown(() => server.close())
  const keys = await new Promise<string>(resolve => {
    server.listen(0, () => resolve(`http://127.0.0.1:${(server.address() as { port: number }).port}`))
  })
  const { url } = await runExample(t, folder, 'roles.ts', { JWKS_URL: keys })
  const headersOf = (roles: string[]) => {
    const header = { alg: 'RS256', kid: 'k1', typ: 'at+jwt' }
    const token = jwt.sign({ roles }, privateKey, { ...AT_LOGIN, subject: 'ada', jwtid: roles.join(), header })
    return { authorization: `Bearer ${token}` }
  }
  t.is((await openStream(`${url}/events`, { headers: headersOf(['writer']) })).status, 403)
  const headers = headersOf(['reader', 'admin'])
  const stream = await openStream(`${url}/events`, { headers })
  await stream.next(({ event }) => event === 'cursor')
  t.is((await fetch(`${url}/logout`, { method: 'POST', headers })).status, 204)
  t.like(await stream.next(({ event }) => event === 'goaway'), { data: '{"reason":"revoked"}' })
  t.is((await openStream(`${url}/events`, { headers })).status, 401)
})

test('who is let in to a stream is let in to an ordinary route', async t => {
  const { url } = await runExample(t, folder, 'orders.ts')
  t.is((await fetch(`${url}/orders`)).status, 401)
  const token = jwt.sign({}, privateKey, { ...AT_LOGIN, algorithm: 'RS256', subject: 'ada' })
  const answer = await fetch(`${url}/orders`, { headers: { authorization: `Bearer ${token}` } })
  t.deepEqual(await answer.json(), { user: 'ada' })
})

test('a page asks by POST, and has the answer word by word', async t => {
  const { url } = await runExample(t, folder, 'ask.ts')
  const { ask } = (await importExample(folder, 'ask-page.ts')) as {
    ask: (url: string, question: string, show: (word: string) => void) => Promise<string>
  }
  const words: string[] = []
  t.is(await ask(`${url}/answers`, 'why 1.0', word => words.push(word)), 'done')
  t.deepEqual(words, ['You', 'asked:', 'why', '1.0'])
})

test('programs that publish come to their end', async t => {
  for (const name of ['announce.ts', 'pay.ts', 'history.ts', 'hub.ts', 'concepts.ts', 'listeners.ts']) {
    const [code] = (await once(startExample(t, folder, name, {}), 'exit')) as [number]
    t.is(code, 0, name)
  }
})

test('a resolver refuses, greets, and answers topics with what was said lately', async t => {
  const { url } = await runExample(t, folder, 'subscribe.ts')
  t.is((await openStream(`${url}/rooms/board/events`)).status, 403)
  await fetch(`${url}/rooms/7`, { method: 'POST' })
  const stream = await openStream(`${url}/rooms/7/events`)
  t.like(await stream.next(), { event: 'welcome', data: '{"room":"7"}' })
  t.like(await stream.next(), { event: 'message', data: 'hello' })
  stream.close()
})

test('an authenticator of the application’s own lets the holder of a key in', async t => {
  const { url } = await runExample(t, folder, 'api-keys.ts', { ADA_KEY: 'a key' })
  const open = (key: string) => openStream(url, { headers: { 'x-api-key': key } })
  const refused = await open('another key')
  t.is(refused.status, 401)
  t.is(refused.headers['www-authenticate'], 'ApiKey realm="events"')
  const stream = await open('a key')
  t.is((await stream.next()).event, 'cursor')
  stream.close()
})

test('a site in production says that it is ready, and shuts down', async t => {
  const redis = await startRedis(t)
  const { url, process: child } = await runExample(t, folder, 'production.ts', { REDIS_URL: redis.url })
  t.is((await fetch(`${url}/alive`)).status, 204)
  await eventually(
    async () => (await fetch(`${url}/ready`)).status === 204,
    () => 'the site is not ready',
  )
  const stream = await openStream(`${url}/events`)
  await stream.next(({ event }) => event === 'cursor')
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  t.like(await stream.next(({ event }) => event === 'goaway'), { data: '{"reason":"drain"}' })
  t.deepEqual(await exited, [0, null])
})

test('options and bounds of their pages are those of a route', async t => {
  for (const name of ['options.ts', 'bounds.ts']) {
    const { url } = await runExample(t, folder, name)
    const stream = await openStream(url)
    t.is((await stream.next()).event, 'cursor', name)
    stream.close()
  }
})

test('a page of an old library’s URL gets what is published to its room', async t => {
  const { url } = await runExample(t, folder, 'migrated.ts')
  const stream = await openStream(`${url}/sse/7`)
  await stream.next(({ event }) => event === 'cursor')
  await fetch(`${url}/sse/7`, { method: 'POST' })
  t.like(await stream.next(), { event: 'message', data: '{"text":"hello"}' })
  stream.close()
})
