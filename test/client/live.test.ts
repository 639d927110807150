// The listeners, data and errors of a live stream: most cases run over both EventSource and `fetch`.
import test from 'ava'
import { connect } from 'koa-event-stream/client'
import { system } from '../../lib/client/environment.ts'
import { checkOptions } from '../../lib/client/options.ts'
import { Deferred } from '../support/deferred.ts'
import { cursor, event, gap, goaway, ScriptedWorld } from './scripted.ts'
import { onBoth } from './on-both.ts'
import { Seen } from './seen.ts'

const turn = () => new Promise(setImmediate)

interface Events {
  tick: number
  note: { text: string }
}

const answer = (id?: string) => new Response('{}', { headers: id === undefined ? {} : { 'Event-ID': id } })

onBoth('the event of an action of its own is not told', async (t, { world, seen, options }) => {
  const live = world.connect('/events', options)
  seen.listen(live)
  const peer = await world.next()
  peer.open()
  peer.send(cursor(0))
  await seen.until('open stream')
  const response = await live.mine(answer('e-1'))
  t.is(response.headers.get('event-id'), 'e-1')
  peer.send(event(1) + event(2))
  await seen.until('tick 2')
  // The event often comes before the response does.
  const request = new Deferred<Response>()
  const mine = live.mine(request.promise)
  peer.send(event(3) + event(4))
  await turn()
  request.resolve(answer('e-3'))
  await mine
  await seen.until('tick 4')
  t.deepEqual(seen.of('tick'), ['2', '4'])
  live.close()
})

onBoth('a request that fails or hangs holds nothing back for long', async (t, { world, seen, options }) => {
  const live = world.connect('/events', options)
  seen.listen(live)
  const peer = await world.next()
  peer.open()
  await seen.until('open stream')
  await t.throwsAsync(live.mine(Promise.reject(new Error('offline'))), { message: 'offline' })
  peer.send(event(1))
  await seen.until('tick 1')
  void live.mine(new Promise<Response>(() => undefined))
  peer.send(event(2))
  await turn()
  t.deepEqual(seen.of('tick'), ['1'])
  world.clock.advance(5_000)
  await seen.until('tick 2')
  live.close()
})

onBoth('an event waits for the actions only that were under way as it came', async (t, { world, seen, options }) => {
  const live = world.connect('/events', options)
  seen.listen(live)
  const peer = await world.next()
  peer.open()
  await seen.until('open stream')
  const requests = [1, 2, 3].map(() => new Deferred<Response>())
  const act = (n: number) => live.mine(requests[n]?.promise ?? Promise.reject(new Error('no request')))
  void act(0)
  void act(1)
  peer.send(event(1))
  await turn()
  void act(2)
  requests[1]?.resolve(answer())
  peer.send(event(2) + event(3))
  await turn()
  t.deepEqual(seen.of('tick'), [])
  requests[0]?.resolve(answer())
  await seen.until('tick 1')
  await turn()
  t.deepEqual(seen.of('tick'), ['1'])
  requests[2]?.resolve(answer('e-2'))
  await seen.until('tick 3')
  t.deepEqual(seen.of('tick'), ['1', '3'])
  live.close()
})

onBoth(
  'listeners are told what they are typed for, and one that fails harms no other',
  async (t, { world, seen, options }) => {
    const live = world.connect<Events>('/events', options)
    live.on('tick', () => {
      throw new Error('threw')
    })
    live.on('tick', () => Promise.reject(new Error('rejected')))
    const off = live.on('tick', (n, { id, event }) => seen.note(`${event} ${id} ${n.toFixed(1)}`))
    // @ts-expect-error -- no such event
    live.on('nothing', () => undefined)
    const peer = await world.next()
    peer.open()
    peer.send(event(1))
    await seen.until('tick e-1 1.0')
    off()
    peer.send(event(2))
    await turn()
    t.deepEqual(seen.of('tick'), ['e-1 1.0'])
    t.deepEqual([...new Set(seen.of('failed:'))].sort(), ['rejected', 'threw'])
    live.close()
  },
)

onBoth('it has the shape of an EventSource', async (t, { world, seen, options }) => {
  const live = world.connect('/events', options)
  t.true(live instanceof EventTarget)
  t.is(live.readyState, 0)
  live.onopen = () => seen.note('onopen')
  live.onerror = () => seen.note(`onerror ${live.readyState}`)
  live.onmessage = ({ data, lastEventId, origin }) => seen.note(`onmessage ${data} ${lastEventId} ${origin}`)
  live.addEventListener('note', event => seen.note(`note ${(event as MessageEvent).data}`))
  const peer = await world.next()
  peer.open()
  peer.send('id: e-1\ndata: <b>\n\nevent: note\ndata: {"text":"x"}\n\n')
  await seen.until('note {"text":"x"}')
  t.is(live.readyState, 1)
  t.is(live.url, 'https://app.test/events')
  peer.end()
  await seen.until('onerror 0')
  live.close()
  await seen.until('onerror 2')
  t.true(seen.all.includes('onopen'))
  t.true(seen.all.includes('onmessage <b> e-1 https://app.test'))
})

onBoth('`for await` reads events and gaps, until the end', async (t, { world, options }) => {
  const live = world.connect<Events>('/events', { ...options, events: ['tick', 'note'] })
  const read: string[] = []
  const reading = (async () => {
    for await (const received of live) {
      if (received.event === 'note') read.push(received.data.text)
      else if (received.event === 'gap') read.push(received.data.reason)
      else read.push(received.data.toFixed(1))
    }
  })()
  const peer = await world.next()
  peer.open()
  peer.send(event(1) + gap() + event(2, { text: 'x' }, 'note') + cursor(3) + goaway('done'))
  await reading
  t.deepEqual(read, ['1.0', 'trimmed', 'x'])
  t.deepEqual(await live[Symbol.asyncIterator]().next(), { value: undefined, done: true })
})

onBoth('what the server says before it ends the stream is told, whatever it waits for', async (t, bench) => {
  for (const what of ['load', 'mine']) {
    const { world, options } = bench
    const seen = new Seen()
    const answer = new Deferred<Response>()
    const live = world.connect('/events', {
      ...options,
      ...seen.options,
      since: 'e-0',
      events: ['tick'],
      ...(what === 'load' && { load: () => answer.promise.then(() => undefined) }),
    })
    seen.listen(live)
    const reading = (async () => {
      for await (const { event, data } of live) if (event === 'tick') seen.note(`read ${String(data)}`)
      seen.note('read all')
    })()
    const peer = await world.next()
    peer.open()
    peer.send(cursor(0))
    await seen.until('open stream')
    if (what === 'mine') void live.mine(answer.promise)
    peer.send((what === 'load' ? gap() : '') + event(1) + event(2) + goaway('done'))
    await seen.until('ended done')
    await turn()
    t.deepEqual(seen.of('tick'), [], what)
    answer.resolve(new Response())
    await reading
    t.deepEqual(seen.of('tick'), ['1', '2'], what)
    t.deepEqual(seen.of('read'), ['1', '2', 'all'], what)
    t.is(world.clock.pending, 0)
  }
})

onBoth('a state that cannot be loaded any more once the stream has ended holds nothing back', async (t, bench) => {
  const { world, seen, options } = bench
  let loads = 0
  const live = world.connect('/events', {
    ...options,
    load: () => {
      loads += 1
      throw new Error('logged out')
    },
  })
  seen.listen(live)
  const peer = await world.next()
  peer.open()
  await seen.until('paused load')
  peer.send(event(1) + goaway('logout'))
  await seen.until('tick 1')
  t.is(live.state, 'ended')
  t.is(loads, 1)
  t.is(world.clock.pending, 0)
})

onBoth('a reader that is slow pauses the stream, and misses nothing', async (t, { world, seen, options }) => {
  const live = world.connect('/events', { ...options, events: ['tick'] })
  const reader = live[Symbol.asyncIterator]()
  const peer = await world.next()
  peer.open()
  const many = Array.from({ length: 1_300 }, (_, n) => event(n + 1))
  peer.send(cursor(0) + many.slice(0, 1_200).join(''))
  await seen.until('paused slow')
  const read: unknown[] = []
  for (let n = 0; n < 1_000; n += 1) read.push((await reader.next()).value?.data)
  const next = peer.kind === 'fetch' ? peer : await world.next()
  if (next !== peer) next.open()
  next.send(many.slice(peer.kind === 'fetch' ? 1_200 : Number(next.lastEventId?.slice(2))).join(''))
  for (let n = 1_000; n < 1_300; n += 1) read.push((await reader.next()).value?.data)
  t.deepEqual(
    read,
    many.map((_, n) => n + 1),
  )
  await reader.return?.()
  t.deepEqual(await reader.next(), { value: undefined, done: true })
  live.close()
})

test('data is read as JSON, as text where it is none, or as the application says', async t => {
  const world = new ScriptedWorld()
  const seen = new Seen()
  const live = world.connect('/events', {
    ...seen.options,
    transport: 'fetch',
    parse: (data, name) => {
      if (data === 'bad') throw new Error('unreadable')
      return name === 'raw' ? `<${data}>` : JSON.parse(data)
    },
  })
  seen.listen(live, 'raw')
  seen.listen(live, 'json')
  const plain = world.connect('/events', { transport: 'fetch' })
  seen.listen(plain, 'html')
  seen.listen(plain, 'nothing')
  const [peer, other] = [await world.next(), await world.next()]
  peer.open()
  peer.send('event: raw\ndata: 1\n\nevent: raw\ndata: bad\n\nevent: json\ndata: [1]\n\n')
  await seen.until('json [1]')
  t.deepEqual(seen.of('raw'), ['"<1>"', 'undefined'])
  t.deepEqual(seen.of('failed:'), ['unreadable'])
  other.open()
  other.send('event: html\ndata: <b>\n\nevent: nothing\ndata\n\n')
  await seen.until('nothing undefined')
  t.deepEqual(seen.of('html'), ['"<b>"'])
  live.close()
  plain.close()
})

test('what `onState` and `onError` fail with themselves harms nobody', async t => {
  const world = new ScriptedWorld()
  const live = world.connect('/events', {
    onState: () => {
      throw new Error('state')
    },
    onError: async () => {
      throw new Error('error')
    },
  })
  const peer = await world.next()
  peer.open()
  await turn()
  t.is(live.state, 'open')
  t.true(world.reported.every(error => error instanceof Error && error.message === 'error'))
  t.true(world.reported.length > 0)
  live.close()
})

const wrong: [title: string, url: unknown, options: object, message: RegExp][] = [
  ['a relative URL outside of a page', '/events', {}, /`url` must be a URL, absolute in Node/],
  ['what is no URL', 5, {}, /`url`/],
  ['an unknown option', 'http://x', { retries: 5 }, /`retries` must be left out/],
  ['a wrong type', 'http://x', { since: 5 }, /`since` must be a string/],
  ['a wrong transport', 'http://x', { transport: 'websocket' }, /`transport` must be fetch, or/],
  ['an EventSource with headers', 'http://x', { transport: 'eventsource', headers: {} }, /`transport`/],
  ['headers that are none', 'http://x', { headers: { a: 1 } }, /`headers` must be an object of strings/],
  ['a header that cannot be sent', 'http://x', { headers: { user: 'Łukasz secret' } }, /^`headers` must be [^Ł]*$/],
  ['a header of two lines', 'http://x', { headers: { user: 'a\nb' } }, /`headers` must be .* that can be sent/],
  ['a name that is none of a header', 'http://x', { headers: { 'a user': 'b' } }, /`headers` must be/],
  ['a body with GET', 'http://x', { method: 'GET', body: 'x' }, /`method` must be GET without a body/],
  ['a wrong method', 'http://x', { method: 'PUT' }, /`method`/],
  ['names that are none', 'http://x', { events: 'tick' }, /`events` must be a list of strings/],
  ['no function', 'http://x', { load: 'x' }, /`load` must be a function/],
]

test('refused at once: an EventSource where there is none', t => {
  const env = { ...system, EventSource: undefined }
  t.throws(() => checkOptions('http://x', { transport: 'eventsource' }, env), { message: /`transport`/ })
})

for (const [title, url, options, message] of wrong) {
  test(`refused at once: ${title}`, t => {
    t.throws(() => connect(url as string, options), { instanceOf: TypeError, message })
  })
}

test('no error shows a URL', t => {
  const error = t.throws(() => connect('http://[?ticket=secret'))
  t.false(String(error.stack).includes('secret'))
  t.is(error.cause, undefined)
})
