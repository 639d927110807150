import test, { type ExecutionContext } from 'ava'
import { EventSource } from 'eventsource'
import Koa from 'koa'
import { createHub, eventStream } from 'koa-event-stream'
import { ManualClock } from '../support/manual-clock.ts'
import { browsers, inEveryBrowser } from './in-browsers.ts'
import { listen } from './listening.ts'
import { ObservedStream } from './observed-stream.ts'
import type { Browser } from './page.ts'
import { openSite, type StreamOptions } from './site.ts'

const events = ['message', 'cursor', 'gap', 'ping', 'heartbeat']

type Open = (t: ExecutionContext, url: string) => Promise<ObservedStream>

const inBrowser = ({ name, openPage }: Browser): [string, Open] => [
  name,
  async (t, url) => listen(await openPage(t, url), '/events', { events }),
]

const clients: Record<string, Open> = {
  ...Object.fromEntries(browsers.map(inBrowser)),
  'the eventsource package': async (t, url) => {
    const stream = new ObservedStream()
    const source = new EventSource(`${url}/events`)
    t.teardown(() => source.close())
    source.onopen = () => stream.observe({ name: 'open' })
    source.onerror = () => stream.observe({ name: source.readyState === source.CLOSED ? 'closed' : 'lost' })
    for (const name of events) {
      source.addEventListener(name, ({ data, lastEventId: id }) => stream.observe({ name, data, id }))
    }
    return stream
  },
}

for (const [name, open] of Object.entries(clients)) {
  test(`${name} resumes from a cursor that came before any event, and loses nothing`, async t => {
    const { hub, url, cable, requests } = await openSite(t)
    const stream = await open(t, url)
    const cursor = await stream.next('cursor')
    const { stream: id, heartbeat } = JSON.parse(cursor.data ?? '') as { stream: string; heartbeat: number }
    t.regex(id, /^[\w-]{16,}$/)
    t.is(heartbeat, 25_000)

    cable.cut()
    await stream.next('lost')
    await hub.publish('news', { data: 'meanwhile' })
    cable.mend()
    t.is((await stream.next('message')).data, 'meanwhile')
    t.deepEqual(
      requests.map(({ lastEventId }) => lastEventId),
      ['', cursor.id],
    )
    t.is(stream.all('message').length, 1)
    t.deepEqual(stream.all('gap'), [])
  })

  test(`${name} gets data as it was meant, however little or odd`, async t => {
    const clock = new ManualClock()
    const heartbeat = { interval: 1_000, event: 'heartbeat' }
    const { hub, url } = await openSite(t, { hub: createHub({ clock }), stream: { heartbeat } })
    const stream = await open(t, url)
    await stream.next('cursor')

    await hub.publish('news', { event: 'ping', data: '' })
    await hub.publish('news', { event: 'ping' })
    await hub.publish('news', { data: '' })
    await hub.publish('news', { data: ' two\r\nlines\r☕\u2028id: 1\n' })
    const id = await hub.publish('news', { data: { a: [1] } })
    await stream.next('message')
    t.is((await stream.next('message')).data, ' two\nlines\n☕\u2028id: 1\n')
    t.deepEqual(await stream.next('message'), { name: 'message', data: '{"a":[1]}', id })
    t.deepEqual(
      stream.all('ping').map(({ data }) => data),
      ['', ''],
    )
    t.is(stream.all('message')[0]?.data, '')

    clock.advance(2 * heartbeat.interval)
    t.is((await stream.next('heartbeat')).data, '')
  })
}

inEveryBrowser('a client comes back when it was told to', async (t, openPage) => {
  const subscribe: StreamOptions['subscribe'] = stream => void setImmediate(() => stream.close())
  const patient = eventStream({ hub: createHub(), authenticate: false, subscribe, retry: 3_600_000 })
  const app = new Koa()
  app.use((ctx, next) => (ctx.search === '?patient' ? patient(ctx) : next()))
  const { url } = await openSite(t, { app, stream: { subscribe } })
  const page = await openPage(url)
  const waiting = await listen(page, '/events?patient')
  await waiting.next('lost')

  const returning = await listen(page, '/events')
  for (let round = 0; round < 4; round++) await returning.next('open')
  t.deepEqual(waiting.names, ['open', 'lost'])
})
