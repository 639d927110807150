import cors from '@koa/cors'
import type { ExecutionContext } from 'ava'
import jwt from 'jsonwebtoken'
import Koa from 'koa'
import { bearerToken } from 'koa-event-stream'
import { serve } from '../support/http.ts'
import { inBrowsers } from './in-browsers.ts'
import { listen } from './listening.ts'
import { addLogin, login } from './login.ts'
import { openSite, type Site, type StreamOptions } from './site.ts'

const KEY = 'a secret of thirty-two bytes or so'
const events = ['cursor', 'message', 'gap']

interface Setup {
  readonly site: Site
  /** Where a page of the listed origin is; the same for one that is not listed. */
  readonly listed: string
  readonly stranger: string
  /** How often the resolver was asked. */
  readonly asked: () => number
  /** The methods of all requests for the stream, in their order. */
  readonly methods: readonly string[]
}

async function openSites(t: ExecutionContext, stream: StreamOptions = {}): Promise<Setup> {
  const [listed, stranger] = await Promise.all([openBlank(t), openBlank(t)])
  const app = new Koa()
  const methods: string[] = []
  app.use((ctx, next) => {
    if (ctx.path === '/events') methods.push(ctx.method)
    return next()
  })
  app.use(
    cors({
      origin: ctx => (ctx.get('origin') === listed ? listed : ''),
      credentials: true,
      allowHeaders: ['Authorization', 'Last-Event-ID'],
      maxAge: 600,
    }),
  )
  addLogin(app)
  let asked = 0
  const subscribe = () => {
    asked++
    return 'news'
  }
  const site = await openSite(t, { app, stream: { authenticate: login, origins: [listed], subscribe, ...stream } })
  return { site, listed, stranger, asked: () => asked, methods }
}

async function openBlank(t: ExecutionContext): Promise<string> {
  const { url } = await serve((_request, response) => {
    response.setHeader('content-type', 'text/html').end('<title>blank</title><link rel="icon" href="data:,">')
  }, t)
  return url
}

inBrowsers('a page of a listed origin holds a stream with the user’s cookie, and resumes it', async (t, openPage) => {
  const { site, listed } = await openSites(t)
  const page = await openPage(`${site.url}/login`)
  await page.goto(listed)
  const stream = await listen(page, `${site.url}/events`, { events, withCredentials: true })
  const { id } = await stream.next('cursor')

  // Mended before the page comes back: Firefox gives a stream of another origin up that it cannot reach.
  site.cable.cut()
  await site.hub.publish('news', { data: 'meanwhile' })
  site.cable.mend()
  t.is((await stream.next('message')).data, 'meanwhile')
  t.is(site.requests[1]?.lastEventId, id)
  t.deepEqual(stream.all('gap'), [])
})

inBrowsers('a page of a listed origin can tell a 401 from a failure', async (t, openPage) => {
  const { site, listed } = await openSites(t)
  const page = await openPage(listed)
  const status = `fetch('${site.url}/events', { credentials: 'include' }).then(({ status }) => status)`
  t.is(await page.evaluate(status), 401)
})

// A sister site gets the cookie from the browser whatever its SameSite; a page of another site's was not given it here.
for (const [whose, host, status] of [
  ['another origin', '127.0.0.1', 403],
  ['another site', 'localhost', 401],
] as const) {
  inBrowsers(`a page of ${whose} gets nothing, by whatever element it asks`, async (t, openPage) => {
    const { site, stranger, asked } = await openSites(t)
    const page = await openPage(`${site.url}/login`)
    await page.goto(stranger.replace('127.0.0.1', host))
    const stream = await listen(page, `${site.url}/events`, { events, withCredentials: true })
    await stream.next('closed')
    t.deepEqual(stream.names, ['closed'])

    await page.evaluate(`Promise.all([
      ...['img', 'script'].map(tag => new Promise(resolve => {
        const element = document.createElement(tag)
        element.onload = element.onerror = resolve
        element.src = '${site.url}/events'
        document.body.append(element)
      })),
      fetch('${site.url}/events', {
        mode: 'no-cors', credentials: 'include', headers: { Accept: 'text/event-stream' },
      }),
    ])`)
    t.deepEqual(
      site.requests.map(request => request.status),
      [status, status, status, status],
    )
    t.is(asked(), 0)
  })
}

inBrowsers(
  'a page may send a token and a cursor across origins, and asks once in a while whether it may',
  async (t, openPage, browser) => {
    const bearer = bearerToken({ key: KEY, algorithms: ['HS256'], issuer: 'us', audience: 'events' })
    const { site, listed, stranger, methods } = await openSites(t, { authenticate: bearer })
    const token = jwt.sign({}, KEY, { subject: 'ann', issuer: 'us', audience: 'events', expiresIn: '1h' })
    const ask = `(async () => {
    const headers = { Authorization: 'Bearer ${token}', 'Last-Event-ID': 'gone-1' }
    const response = await fetch('${site.url}/events', { headers })
    const { value } = await response.body.pipeThrough(new TextDecoderStream()).getReader().read()
    return value
  })()`
    const page = await openPage(listed)
    for (let time = 0; time < 2; time++) t.regex(await page.evaluate<string>(ask), /event: gap/)
    // Firefox asks again before each request.
    const asked = browser === 'Chromium' ? ['OPTIONS', 'GET', 'GET'] : ['OPTIONS', 'GET', 'OPTIONS', 'GET']
    t.deepEqual(methods, asked)

    await page.goto(stranger)
    await t.throwsAsync(page.evaluate(ask), { message: /Failed to fetch|NetworkError/ })
    t.deepEqual(methods, [...asked, 'OPTIONS'])
  },
)
