import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { RequestListener, ServerResponse } from 'node:http'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import cors from '@koa/cors'
import test from 'ava'
import Koa, { type Context, type Middleware } from 'koa'
import { createHub, eventStream, urlTicket, type Authenticator, type Hub } from 'koa-event-stream'
import { signedIn } from 'koa-event-stream/testing'
import { freePort } from '../../demo/cluster/free-port.ts'
import { serve, serveTls } from '../support/http.ts'
import { startNginx } from '../support/nginx.ts'
import type { Scope } from '../support/scope.ts'
import { flood } from './flood.ts'
import { examine, of, runCli } from './run-cli.ts'

const HTTP_1_1 = 'proxy_http_version 1.1; proxy_set_header Connection "";'
// What cannot come within these seconds is awaited in vain.
const SHORT = ['--timeout', '2']

interface SiteOptions {
  readonly heartbeat?: number | false
  readonly before?: readonly Middleware[]
  readonly authenticate?: (hub: Hub) => Authenticator | false
  readonly origins?: readonly string[]
}

function site(scope: Scope, { heartbeat, before = [], authenticate = () => false, origins }: SiteOptions = {}): Koa {
  const hub = createHub()
  scope.teardown(() => hub.close())
  const app = new Koa()
  for (const middleware of before) app.use(middleware)
  const login = authenticate(hub)
  const options = {
    hub,
    subscribe: () => 'news',
    ...(heartbeat !== undefined && { heartbeat }),
    ...(origins && { origins }),
  }
  app.use(
    login === false
      ? eventStream({ ...options, authenticate: false })
      : eventStream({ ...options, authenticate: login }),
  )
  return app
}

async function behindNginx(scope: Scope, directives: string, options: SiteOptions = {}): Promise<string> {
  const { port } = await serve(site(scope, options), scope)
  return `${await startNginx(scope, port, directives)}/events`
}

test('nothing is wrong behind nginx, but for HTTP/1.1', async t => {
  const { code, findings } = await examine(await behindNginx(t, HTTP_1_1))
  t.deepEqual(of('problem', findings), [])
  t.deepEqual(of('warning', findings), ['http'])
  t.deepEqual(of('ok', findings), ['answer', 'buffering', 'compression', 'caching', 'last-event-id', 'resume', 'idle'])
  t.is(code, 0)
})

test('over TLS HTTP/2 is seen', async t => {
  const { url, ca } = await serveTls(site(t), t)
  const { code, findings } = await examine(url, [], await trust(t, ca))
  t.deepEqual(of('warning', findings), [])
  t.true(of('ok', findings).includes('http'))
  t.is(code, 0)
})

const testIpv6 = Object.values(networkInterfaces()).some(at => at?.some(({ address }) => address === '::1'))
  ? test
  : test.skip

testIpv6('over TLS HTTP/2 is seen at an IPv6 address, too', async t => {
  const { url, ca } = await serveTls(site(t), t, { address: '::1' })
  const { code, findings } = await examine(url, [], await trust(t, ca))
  t.true(of('ok', findings).includes('http'))
  t.is(code, 0)
})

test('buffering is found, and that it is not the application', async t => {
  const url = await behindNginx(t, 'proxy_ignore_headers X-Accel-Buffering;')
  const { code, findings } = await examine(url, SHORT)
  t.deepEqual(of('problem', findings), ['buffering'])
  t.regex(findings.at(-1)?.cure ?? '', /proxy_ignore_headers/)
  t.is(code, 1)
})

test('an application that does not answer is not taken for buffering', async t => {
  const { url } = await serve(() => {}, t)
  const { code, findings } = await examine(url, SHORT)
  t.deepEqual(of('problem', findings), ['answer'])
  t.is(code, 1)
})

test('compression on the way is found, and whether it holds events back', async t => {
  const gzip = `${HTTP_1_1} gzip on; gzip_types text/event-stream; gzip_proxied any; gzip_min_length 0;`
  const flushed = await examine(await behindNginx(t, gzip))
  t.deepEqual(of('problem', flushed.findings), [])
  t.deepEqual(of('warning', flushed.findings), ['compression', 'http'])
  const held = await examine(await behindNginx(t, `${gzip} proxy_ignore_headers X-Accel-Buffering;`), SHORT)
  t.deepEqual(of('problem', held.findings), ['compression'])
  t.regex(held.findings.find(({ check }) => check === 'compression')?.cure ?? '', /text\/event-stream/)
})

test('a stream that breaks when it is compressed is found', async t => {
  for (const breakIt of [
    // Says that it is compressed, and is not.
    (response: ServerResponse) => response.write('event: cursor\nid: 1\ndata: {}\n\n'),
    // Breaks after the first bytes of gzip's header.
    (response: ServerResponse) => response.write(Buffer.from([0x1f, 0x8b, 8]), () => response.destroy()),
  ]) {
    const { code, findings } = await examine(await compressing(t, 'gzip', breakIt))
    t.deepEqual(of('problem', findings), ['compression'])
    t.like(
      findings.find(({ check }) => check === 'compression'),
      { seen: 'the stream (gzip) breaks before its first event when compression is offered' },
    )
    t.is(code, 1)
  }
})

test('a stream whose compression has another name, or that ends after its event, is read', async t => {
  const event = gzipSync('data: 1\n\n')
  for (const [encoding, send] of [
    ['x-gzip', (response: ServerResponse) => response.write(event)],
    ['GZIP', (response: ServerResponse) => response.write(event)],
    ['gzip', (response: ServerResponse) => response.end(event)],
  ] as const) {
    const { code, findings } = await examine(await compressing(t, encoding, send))
    t.deepEqual(of('problem', findings), [])
    t.deepEqual(of('warning', findings), ['compression', 'http'])
    t.is(code, 0)
  }
})

test('a time-out that is shorter than the heartbeat is found', async t => {
  const url = await behindNginx(t, `${HTTP_1_1} proxy_read_timeout 1s;`, { heartbeat: 60_000 })
  const { code, findings } = await examine(url, ['--wait', '60'])
  t.deepEqual(of('problem', findings), ['idle'])
  t.regex(findings.at(-1)?.seen ?? '', /^cut after \d+\.\d s of silence; the heartbeat interval is 60\.0 s$/)
  t.is(code, 1)
})

test('a stream that is cut though it is not idle is not taken for a time-out of idle ones', async t => {
  for (const [quiet, cutAfter] of [
    [100, 0],
    [4_000, 1_000],
  ] as const) {
    const { url } = await serve((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('event: cursor\nid: 1\ndata: {"heartbeat":5000}\n\n')
      // A silence that it survives, and a shorter one that it does not.
      setTimeout(
        () => response.write('event: heartbeat\ndata\n\n', () => setTimeout(() => response.destroy(), cutAfter)),
        quiet,
      )
    }, t)
    const { code, findings } = await examine(url, ['--wait', '60'])
    t.like(findings.at(-1), { check: 'idle', level: 'problem' })
    t.regex(findings.at(-1)?.seen ?? '', /^cut \d+\.\d s after opening, though not idle$/)
    t.regex(findings.at(-1)?.cure ?? '', /total time of a response/)
    t.is(code, 1)
  }
})

test('a stream without heartbeats is warned of', async t => {
  const { findings } = await examine(await behindNginx(t, HTTP_1_1, { heartbeat: false }))
  t.deepEqual(of('warning', findings), ['http', 'idle'])
})

test('a proxy that drops Last-Event-ID is found', async t => {
  const { code, findings } = await examine(await behindNginx(t, `${HTTP_1_1} proxy_set_header Last-Event-ID "";`))
  t.deepEqual(of('problem', findings), ['last-event-id'])
  t.is(code, 1)
})

test('instances that share no log are found', async t => {
  const instances = [site(t).callback(), site(t).callback()]
  let turn = 0
  const { url } = await serve((request, response) => void instances[turn++ % 2]?.(request, response), t)
  const { code, findings } = await examine(url)
  t.deepEqual(of('problem', findings), ['resume'])
  t.regex(findings.find(({ check }) => check === 'resume')?.cure ?? '', /redisBroker/)
  t.is(code, 1)
})

test('a cache on the way is found', async t => {
  const { findings } = await examine(await behindNginx(t, `${HTTP_1_1} add_header Age 5;`))
  t.deepEqual(of('problem', findings), ['caching'])
})

test('what a page of another site may not do is found, and what it may', async t => {
  const origin = 'https://app.example.com'
  const authenticate = () => signedIn({ id: 'ada' })
  const args = ['--origin', origin, '--header', 'Authorization: Bearer x']
  const open = await serve(site(t, { authenticate }), t)
  t.deepEqual(of('problem', (await examine(open.url, args)).findings), ['cors', 'cors'])
  const half = await serve(site(t, { authenticate, before: [cors({ origin, allowHeaders: ['Authorization'] })] }), t)
  const { findings } = await examine(half.url, args)
  t.deepEqual(of('problem', findings), ['cors'])
  t.regex(findings.find(({ check }) => check === 'cors')?.cure ?? '', /last-event-id/)
  const before = [cors({ origin, allowHeaders: ['Authorization', 'Last-Event-ID'] })]
  const whole = await serve(site(t, { authenticate, before }), t)
  t.deepEqual(of('problem', (await examine(whole.url, args)).findings), [])
})

test('a stream that refuses the origin is found, though its CORS headers are right', async t => {
  const origin = 'https://app.example.com'
  const authenticate = () => ({ ...signedIn({ id: 'ada' }), ambient: true })
  const before = [cors({ origin, credentials: true, allowHeaders: ['Last-Event-ID'] })]
  const args = ['--origin', origin, '--cookie', 'user=ada']
  const refusing = await serve(site(t, { authenticate, before }), t)
  const { code, findings } = await examine(refusing.url, args)
  t.deepEqual(of('problem', findings), ['cors'])
  t.like(
    findings.find(({ check }) => check === 'cors'),
    { seen: 'the stream refuses the origin with status 403', cure: 'add the origin to `origins` of the route' },
  )
  t.is(code, 1)
  const allowing = await serve(site(t, { authenticate, before, origins: [origin] }), t)
  const allowed = await examine(allowing.url, args)
  t.deepEqual(of('problem', allowed.findings), [])
  t.true(of('ok', allowed.findings).includes('cors'))
})

test('what is no stream is said to be none', async t => {
  const page = await serve((_request, response) => response.setHeader('content-type', 'text/html').end('Log in'), t)
  t.regex((await examine(page.url)).findings[0]?.cure ?? '', /login page/)
  const refused = await serve(site(t, { authenticate: () => signedIn(() => undefined) }), t)
  const { code, findings } = await examine(refused.url)
  t.like(findings, [{ check: 'answer', level: 'problem', seen: 'status 401, text/plain; charset=utf-8' }])
  t.is(code, 1)
  t.deepEqual(of('problem', (await examine(`http://127.0.0.1:${await freePort()}`)).findings), ['answer'])
})

const LATER = ['compression', 'caching', 'http', 'last-event-id', 'resume', 'cors', 'idle']

test('a later request whose connection breaks is a problem in each check, with what to do', async t => {
  const url = await refusingAfter(t, 1, response => response.destroy())
  const { code, findings } = await examine(url, ['--origin', 'https://app.example.com'])
  t.deepEqual(of('problem', findings), LATER)
  for (const { seen, cure } of findings.slice(2)) {
    t.regex(seen, / got no response$/)
    t.regex(cure ?? '', /logs/)
  }
  t.is(code, 1)
})

test('a later response that is no stream is a problem in each check, with its cure', async t => {
  for (const [status, type, cure] of [
    [502, 'text/html', /cannot reach the application/],
    [429, 'text/plain', /rate limit/],
    [200, 'text/html', /login page/],
  ] as const) {
    const refuse = (response: ServerResponse) => response.writeHead(status, { 'content-type': type }).end()
    const { code, findings } = await examine(await refusingAfter(t, 1, refuse), ['--origin', 'https://app.example.com'])
    t.deepEqual(of('problem', findings), LATER)
    for (const { seen, cure: given } of findings.slice(2)) {
      t.true(seen.endsWith(` got status ${status}, ${type}`), seen)
      t.regex(given ?? '', cure)
    }
    t.is(code, 1)
  }
})

test('a reconnect that is refused is told apart from one that meets silence', async t => {
  // Before it are the first stream, those of compression, caching, HTTP and Last-Event-ID, and the one that is cut.
  const url = await refusingAfter(t, 6, response => response.writeHead(503).end())
  const { code, findings } = await examine(url)
  t.deepEqual(of('problem', findings), ['resume', 'idle'])
  t.like(findings.at(-2), { seen: 'after a cut, the reconnect got status 503, no content type' })
  t.regex(findings.at(-2)?.cure ?? '', /hub\.ready/)
  t.is(code, 1)
})

test('each stream has a ticket of its own, and no secret is shown', async t => {
  const isAda = (ctx: Context) => (ctx.get('authorization') === 'Bearer s3cret' ? { id: 'ada' } : undefined)
  let desk: Middleware | undefined
  const authenticate = (hub: Hub) => {
    const tickets = urlTicket({ hub, audience: 'events', authenticate: signedIn(isAda) })
    desk = tickets.issue
    return tickets
  }
  const issue: Middleware = (ctx, next) => (ctx.path === '/ticket' ? desk?.(ctx, next) : next())
  const { url } = await serve(site(t, { authenticate, before: [issue] }), t)
  const given = [
    '--ticket-url',
    `${url}/ticket?key=s3cret`,
    '--header',
    'Authorization: Bearer s3cret',
    '--cookie',
    'a=s3cret',
  ]
  const { code, findings, said } = await examine(`${url}/events?token=s3cret`, given)
  t.deepEqual(of('problem', findings), [])
  t.is(code, 0)
  t.notRegex(said, /s3cret/)

  const stranger = await runCli(['doctor', `${url}/events?token=s3cret`, ...given.slice(0, 2)])
  t.is(stranger.code, 2)
  t.regex(stranger.err, /^no ticket: http:\/\/127\.0\.0\.1:\d+\/ticket responds with status 401\n$/)
  t.notRegex(stranger.out + stranger.err, /s3cret/)
})

test('a person reads a line for each finding, with its cure', async t => {
  const { url } = await serve(site(t), t)
  const { code, out } = await runCli(['doctor', url, '--timeout', '60', '--wait', '0'])
  t.is(code, 0)
  t.regex(out, /^ok {7}answer {9}status 200, text\/event-stream; charset=utf-8$/m)
  t.regex(out, /^warning {2}http {11}HTTP\/1\.1, and no HTTP\/2\n {24}→ serve browsers over HTTP\/2/m)
})

test('a server that means harm is left in time, and does nothing to the terminal', async t => {
  const escape = await serve((_, response) => response.setHeader('content-type', 'text/html\u009b31m').end(), t)
  const { out } = await runCli(['doctor', escape.url])
  t.regex(out, /status 200, text\/html\\u009b31m/)

  const heartbeat = await serve((_, response) => {
    response.setHeader('content-type', 'text/event-stream')
    response.write('id: 1\nevent: cursor\ndata: {"heartbeat":1e12}\n\n')
    setTimeout(() => response.end(), 500)
  }, t)
  t.is((await runCli(['doctor', heartbeat.url, '--timeout', '60'])).err, '')

  let isLeft = false
  const endless = await serve((_, response) => {
    response.setHeader('content-type', 'text/event-stream').once('close', () => (isLeft = true))
    const line = Buffer.alloc(1_048_576, 'a')
    const more = (left: number): void => {
      if (left > 0) response.write(line, () => more(left - 1))
    }
    more(200)
  }, t)
  const { findings } = await examine(endless.url)
  t.like(findings[1], { check: 'buffering', level: 'unknown' })
  t.true(isLeft)
})

test('what is wrong with TLS is told apart, with its cure', async t => {
  const { url: plain } = await serve(site(t), t)
  const signed = await serveTls(site(t), t)
  const expired = await serveTls(site(t), t, { until: new Date('2021-01-01') })
  const misnamed = await serveTls(site(t), t, { name: 'other.example' })
  for (const [url, trusted, seen, cure] of [
    [signed.url, undefined, /signed by itself/, /NODE_EXTRA_CA_CERTS/],
    [expired.url, expired.ca, /has expired/, /renew it/],
    [misnamed.url, misnamed.ca, /another host name/, /name in the certificate/],
    [plain.replace('http', 'https'), undefined, /plain HTTP is spoken/, /use http:/],
    [signed.url.replace('https', 'http'), undefined, /unreachable/, /speaks TLS at this port/],
  ] as const) {
    const { code, findings } = await examine(url, [], trusted === undefined ? {} : await trust(t, trusted))
    t.is(findings.length, 1, url)
    t.like(findings[0], { check: 'answer', level: 'problem' })
    t.regex(findings[0]?.seen ?? '', seen)
    t.regex(findings[0]?.cure ?? '', cure)
    t.is(code, 1)
  }
})

test('a server whose response never comes, comes byte by byte or is no HTTP is left in time', async t => {
  const sends = (write: (socket: Socket) => void) =>
    servePlain(t, socket => void socket.once('data', () => write(socket)))
  const silent = await servePlain(t, () => {})
  const dripping = await sends(socket => {
    socket.write('HTTP/1.1 200 OK\r\nX-Long: ')
    const drip = setInterval(() => socket.write('a'), 50)
    socket.once('close', () => clearInterval(drip))
  })
  const shell = await sends(socket => socket.end('SSH-2.0-OpenSSH_9.6\r\n'))
  const large = await sends(socket => socket.write(`HTTP/1.1 200 OK\r\nX-Long: ${'a'.repeat(100_000)}`))
  const body = await sends(socket => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: ')
    const drip = setInterval(() => socket.write('a'), 50)
    socket.once('close', () => clearInterval(drip))
  })
  for (const [url, check, seen] of [
    [`http://127.0.0.1:${silent}`, 'answer', /no response within/],
    // Nothing of the handshake comes.
    [`https://127.0.0.1:${silent}`, 'answer', /no response within/],
    [`http://127.0.0.1:${dripping}`, 'answer', /head of the response does not end/],
    [`http://127.0.0.1:${shell}`, 'answer', /no HTTP/],
    [`http://127.0.0.1:${large}`, 'answer', /no HTTP, or has a head of more than/],
    [`http://127.0.0.1:${body}`, 'buffering', /no event arrives within/],
  ] as const) {
    const { code, findings } = await examine(url, SHORT)
    t.like(findings.at(-1), { check, level: 'problem' })
    t.regex(findings.at(-1)?.seen ?? '', seen)
    t.truthy(findings.at(-1)?.cure)
    t.is(code, 1)
  }
})

test('an endless response of the ticket desk is no ticket', async t => {
  const { url } = await serve((_, response) => flood(response, 'a'.repeat(65_536)), t)
  const { code, err } = await runCli(['doctor', url, '--ticket-url', `${url}/ticket`])
  t.is(code, 2)
  t.is(err, `no ticket: ${url}/ticket responds with status 200 without one\n`)
})

/** A site that responds as usual to the first requests, and refuses the others; answers its address. */
async function refusingAfter(scope: Scope, first: number, refuse: (response: ServerResponse) => void): Promise<string> {
  const app = site(scope).callback()
  let turn = 0
  return listen(scope, (request, response) => (turn++ < first ? void app(request, response) : refuse(response)))
}

/** A site behind a proxy that sends a stream of its own to those that offer compression; answers its address. */
async function compressing(scope: Scope, encoding: string, send: (response: ServerResponse) => void): Promise<string> {
  const app = site(scope).callback()
  return listen(scope, (request, response) => {
    if (request.headers['accept-encoding'] === undefined) return void app(request, response)
    response.writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': encoding })
    send(response)
  })
}

async function listen(scope: Scope, listener: RequestListener): Promise<string> {
  return (await serve(listener, scope)).url
}

/** A server of TCP alone; answers its port. */
async function servePlain(scope: Scope, serve: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket.on('error', () => {}))
    serve(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  scope.teardown(async () => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return (server.address() as AddressInfo).port
}

async function trust(scope: Scope, ca: string): Promise<Record<string, string>> {
  const folder = await mkdtemp(join(tmpdir(), 'doctor-'))
  scope.teardown(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, 'ca.pem'), ca)
  return { NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem') }
}
