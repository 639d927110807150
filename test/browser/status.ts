import Koa from 'koa'
import { createHub, eventStream, type Authenticator } from 'koa-event-stream'
import { openStream } from '../support/http.ts'
import { inBrowsers, inEveryBrowser } from './in-browsers.ts'
import { listen } from './listening.ts'
import { openSite, RETRY, type StreamOptions } from './site.ts'

interface Answer {
  readonly status: number
  readonly stream: StreamOptions
  /** Whether somebody else has the only place. */
  readonly full?: boolean
  /** What an EventSource makes of it: it comes back, or it never does. */
  readonly then: 'lost' | 'closed'
}

const ended: StreamOptions['subscribe'] = stream => void setImmediate(() => stream.close())
const nobody: Authenticator = { scheme: 'none', challenge: 'None', ambient: false, authenticate: () => undefined }
const [inAll, each] = [{ process: 1 }, { address: 1 }]

const answers: Record<string, Answer> = {
  'a stream that ends': { status: 200, stream: { subscribe: ended }, then: 'lost' },
  'a place in the queue': { status: 200, stream: { limits: inAll }, full: true, then: 'lost' },
  'nothing more to say': { status: 204, stream: { subscribe: () => null }, then: 'closed' },
  'no login': { status: 401, stream: { authenticate: nobody }, then: 'closed' },
  'no permission': { status: 403, stream: { subscribe: (_stream, ctx) => ctx.throw(403) }, then: 'closed' },
  'too many of theirs': { status: 429, stream: { limits: each, overload: 'reject' }, full: true, then: 'closed' },
  'too many in all': { status: 503, stream: { limits: inAll, overload: 'reject' }, full: true, then: 'closed' },
}

for (const [name, { status, stream, full = false, then }] of Object.entries(answers)) {
  const outcome = then === 'lost' ? 'comes back' : 'is closed for good'
  inEveryBrowser(
    `an EventSource that is answered ${status}, ${name}, ${outcome}: at first, and later`,
    async (t, openPage) => {
      // The path of a page whose stream lives for a moment before it is answered like that.
      const app = new Koa()
      const lively = eventStream({ hub: createHub(), authenticate: false, subscribe: ended, retry: RETRY })
      let lives = 1
      app.use((ctx, next) => (ctx.search === '?later' && lives-- > 0 ? lively(ctx) : next()))

      const { url, requests } = await openSite(t, { app, stream })
      if (full) await openStream(`${url}/events`)
      requests.length = 0
      const page = await openPage(url)

      const first = await listen(page, '/events')
      await first.next(then)
      t.deepEqual(first.names, then === 'lost' ? ['open', 'lost'] : ['closed'])

      const later = await listen(page, '/events?later')
      await later.next('lost')
      await later.next(then)
      t.deepEqual(later.names, then === 'lost' ? ['open', 'lost', 'open', 'lost'] : ['open', 'lost', 'closed'])
      for (const request of requests) t.is(request.status, status)
    },
  )
}

inEveryBrowser('an EventSource that has read a source to its end does not get it again', async (t, openPage) => {
  async function* source() {
    yield { data: 'all there is', id: 'last' }
  }
  let asked = 0
  const subscribe = () => ((asked += 1), source())
  const { url, requests } = await openSite(t, { stream: { subscribe } })
  const stream = await listen(await openPage(url), '/events', { events: ['message', 'goaway'] })
  await stream.next('closed')
  t.deepEqual(stream.names, ['open', 'message', 'goaway', 'lost', 'closed'])
  t.deepEqual(stream.all('goaway'), [{ name: 'goaway', data: '{"reason":"done"}', id: '~done' }])
  t.deepEqual(
    requests.map(({ status, lastEventId }) => [status, lastEventId]),
    [
      [200, ''],
      [204, '~done'],
    ],
  )
  t.is(asked, 1)
})

inBrowsers('an EventSource that was postponed gets its place when there is one', async (t, openPage) => {
  const { hub, url, requests } = await openSite(t, { stream: { limits: { process: 1 } } })
  const holder = await openStream(`${url}/events`)
  await holder.next()
  const stream = await listen(await openPage(url), '/events', { events: ['cursor', 'message'] })
  await stream.next('lost')
  await stream.next('lost')
  holder.close()
  await stream.next('cursor')
  await hub.publish('news', { data: 'at last' })
  t.is((await stream.next('message')).data, 'at last')
  t.true(requests.every(({ status }) => status === 200))
})
