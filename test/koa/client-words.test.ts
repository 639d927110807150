import test from 'ava'
import type { EventStream } from 'koa-event-stream'
import { eventually } from '../support/eventually.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { raw } from '../support/http.ts'
import { openEndpoint } from './endpoint.ts'

const request = (query: string, headers = '') =>
  `GET /events?${query} HTTP/1.1\r\nHost: x\r\nX-User: ann\r\n${headers}\r\n`

test('`heartbeat=event` shows heartbeats, and when to come back', async t => {
  const clock = new ManualClock()
  const { port, hub } = await openEndpoint(t, {}, { hub: { clock } })
  const client = await raw(port, request('heartbeat=event'))
  const head = await client.until('event: cursor')
  t.regex(head, /\nretry: (\d+)\nevent: heartbeat\ndata: \{"heartbeat":25000,"retry":\1\}\n\n/)
  clock.advance(27_000)
  await client.until('event: heartbeat\ndata: {"heartbeat":25000}\n\n')
  void hub.drain({ within: 1_000 })
  for (let n = 0; n < 9; n += 1) {
    clock.advance(100)
    await new Promise(setImmediate)
  }
  await client.until(/\nretry: (\d+)\nevent: goaway\ndata: \{"reason":"drain","retry":\1\}\n\n/)
  t.pass()
})

test('without heartbeats it says so, and whoever is postponed sees for how long', async t => {
  const { port } = await openEndpoint(t, { heartbeat: false, limits: { identity: 1 } })
  const first = await raw(port, request('heartbeat=event'))
  await first.until('data: {"heartbeat":null,"retry":')
  const second = await raw(port, request('heartbeat=event'))
  await second.until(/retry: (\d+)\nevent: goaway\ndata: \{"reason":"overload","retry":\1\}/)
  const third = await raw(port, request('heartbeat=1'))
  await third.until('data: {"reason":"overload"}')
  t.pass()
})

test('a source gets them, too, ahead of its own', async t => {
  const { port } = await openEndpoint(t, {
    subscribe: async function* () {
      yield { event: 'token', data: 'a' }
    },
  })
  const client = await raw(port, request('heartbeat=event'))
  const text = await client.until('event: goaway')
  t.true(text.indexOf('event: heartbeat') < text.indexOf('event: token'))
})

test('the application sees neither word, and a parameter of its own stays', async t => {
  const seen: unknown[] = []
  const { port } = await openEndpoint(t, {
    subscribe: (_, ctx) => {
      seen.push(ctx.url, ctx.originalUrl, ctx.req.url, { ...ctx.query })
      return null
    },
  })
  const client = await raw(port, request('heartbeat=event&a=1&stream=poll&stream=news'))
  await client.until('204')
  const url = '/events?a=1&stream=news'
  t.deepEqual(seen, [url, url, url, { a: '1', stream: 'news' }])
  t.notRegex(client.text, /referrer-policy/i)
})

test('a poll of somebody who resumes ends with the first events, and has no last block', async t => {
  const { port, hub, tells } = await openEndpoint(t)
  const id = await hub.cursor()
  const client = await raw(port, request('stream=poll', `Last-Event-ID: ${id}\r\n`))
  await client.until('event: cursor')
  t.is(hub.stats().streams, 1)
  await hub.publish('news', { event: 'tick', data: 1 })
  const text = await client.until('0\r\n\r\n')
  t.true(text.includes('event: tick'))
  t.false(text.includes('goaway'))
  await tells('close done')
})

test('a poll gets all that was missed, or is told of a gap, at once', async t => {
  const { port, hub } = await openEndpoint(t)
  const id = await hub.cursor()
  await hub.publish('news', { event: 'tick', data: 1 })
  await hub.publish('news', { event: 'tick', data: 2 })
  const client = await raw(port, request('stream=poll', `Last-Event-ID: ${id}\r\n`))
  const text = await client.until('0\r\n\r\n')
  t.regex(text, /data: 1\n\n[^]*data: 2\n\n[^]*event: cursor|data: 2\n\n/)
  const lost = await raw(port, request('stream=poll', 'Last-Event-ID: other-1\r\n'))
  t.regex(await lost.until('0\r\n\r\n'), /event: gap\n[^]*event: cursor/)
})

test('a poll ends with what is sent to its client alone, and not with what each stream begins with', async t => {
  let stream: EventStream | undefined
  const { port, hub } = await openEndpoint(t, {
    subscribe: async own => {
      stream = own
      await own.send({ event: 'welcome', data: 1 })
      return 'news'
    },
  })
  const id = await hub.cursor()
  const client = await raw(port, request('stream=poll', `Last-Event-ID: ${id}\r\n`))
  await client.until('event: cursor')
  await new Promise(setImmediate)
  t.is(hub.stats().streams, 1)
  await stream?.send({ event: 'progress', data: 50 })
  t.regex(await client.until('0\r\n\r\n'), /event: welcome[^]*event: cursor[^]*event: progress/)
})

test('a newcomer’s poll ends as soon as it has a cursor', async t => {
  const { port } = await openEndpoint(t)
  const client = await raw(port, request('stream=poll'))
  t.regex(await client.until('0\r\n\r\n'), /id: \S+\nevent: cursor/)
})

test('a poll without events ends after 25 s, and not with its cursor', async t => {
  const clock = new ManualClock()
  const { port, hub, tells } = await openEndpoint(t, { heartbeat: false }, { hub: { clock } })
  const id = await hub.cursor()
  const client = await raw(port, request('stream=poll', `Last-Event-ID: ${id}\r\n`))
  await client.until('event: cursor')
  clock.advance(24_999)
  await new Promise(setImmediate)
  t.is(hub.stats().streams, 1)
  clock.advance(1)
  await client.until('0\r\n\r\n')
  await tells('close done')
})

test('the next poll in a row is no attempt, a first one is', async t => {
  const counted: string[] = []
  const limiter = { consume: async (key: string) => counted.push(key) }
  const { port, hub, tells } = await openEndpoint(t, { limits: { rate: { identity: limiter, address: limiter } } })
  const poll = async () => {
    const id = await hub.cursor()
    const client = await raw(port, request('stream=poll', `Last-Event-ID: ${id}\r\n`))
    await client.until('event: cursor')
    await hub.publish('news', { event: 'tick', data: 1 })
    await client.until('0\r\n\r\n')
  }
  await poll()
  await tells('close done')
  t.is(counted.length, 2)
  await poll()
  t.is(counted.length, 2)
})

test('a poll with an id that an earlier one has gone beyond is an attempt each time', async t => {
  const counted: string[] = []
  const limiter = { consume: async (key: string) => counted.push(key) }
  const { port, hub } = await openEndpoint(t, { limits: { rate: { identity: limiter, address: limiter } } })
  const id = await hub.cursor()
  await hub.publish('news', { event: 'tick', data: 1 })
  const poll = async (lastEventId: string) => {
    const client = await raw(port, request('stream=poll', `Last-Event-ID: ${lastEventId}\r\n`))
    return client.until('0\r\n\r\n')
  }
  for (let times = 1; times <= 5; times += 1) {
    t.true((await poll(id)).includes('event: tick'))
    t.is(counted.length, 2 * times)
  }
})

test('a poll that the application has ended is followed by an attempt', async t => {
  const counted: string[] = []
  const limiter = { consume: async (key: string) => counted.push(key) }
  const opened: EventStream[] = []
  const { port, hub, story } = await openEndpoint(t, {
    limits: { rate: { identity: limiter, address: limiter } },
    subscribe: stream => {
      opened.push(stream)
      return 'news'
    },
  })
  const id = await hub.cursor()
  for (let times = 1; times <= 3; times += 1) {
    const client = await raw(port, request('stream=poll', `Last-Event-ID: ${id}\r\n`))
    await client.until('event: cursor')
    t.is(counted.length, 2 * times)
    opened.at(-1)?.close('done')
    await client.until('0\r\n\r\n')
    await eventually(
      () => story.filter(chapter => chapter === 'close done').length === times,
      () => JSON.stringify(story),
    )
  }
})

test('a client whose pause is over takes no turn of another behind the same address', async t => {
  const counted: string[] = []
  const clock = new ManualClock()
  const limiter = { consume: async (key: string) => counted.push(key) }
  const { port, hub, story } = await openEndpoint(
    t,
    { heartbeat: false, limits: { rate: { address: limiter } } },
    { hub: { clock } },
  )
  const id = await hub.cursor()
  const poll = async () => {
    const client = await raw(port, request('stream=poll', `Last-Event-ID: ${id}\r\n`))
    await client.until('event: cursor')
    return client
  }
  const areOver = (count: number) =>
    eventually(
      () => story.filter(chapter => chapter === 'close done').length === count,
      () => JSON.stringify(story),
    )
  await poll()
  clock.advance(9_000)
  await poll()
  clock.advance(16_000)
  await areOver(1)
  await poll()
  t.is(counted.length, 2)
  clock.advance(9_000)
  await areOver(2)
  clock.advance(2_000)
  const next = await poll()
  t.is(counted.length, 2)
  clock.advance(25_000)
  await areOver(4)
  await next.until('0\r\n\r\n')
})
