// The client's reconnection by status, id and method: most cases run over both EventSource and `fetch`.
import test from 'ava'
import { cursor, event, goaway, HEARTBEAT, ScriptedWorld, STREAM } from './scripted.ts'
import { onBoth } from './on-both.ts'
import { Seen } from './seen.ts'

onBoth(
  'a stream that is cut is resumed behind the last event, none of it told twice',
  async (t, { world, seen, options }) => {
    const live = world.connect('/events?a=%20b', options)
    seen.listen(live)
    const first = await world.next()
    t.is(first.url.href.split('&')[0], 'https://app.test/events?a=%20b')
    t.is(first.lastEventId, null)
    first.open()
    first.send(event(1) + event(2) + cursor(3))
    await seen.until('tick 2')
    first.cut()
    await seen.until(`waiting ${first.kind === 'fetch' ? 'network' : 'closed'}`)
    world.clock.advance(1)
    const second = await world.next()
    t.is(second.lastEventId, 'e-3')
    t.true(first.isClosed || first.kind === 'fetch')
    second.open()
    second.send(event(2) + event(3) + event(4))
    await seen.until('tick 4')
    t.deepEqual(seen.of('tick'), ['1', '2', '4'])
    t.is(live.lastEventId, 'e-4')
    live.close()
  },
)

onBoth('another life of the log is not taken for an old one', async (t, { world, seen, options }) => {
  const live = world.connect('/events', { ...options, since: 'e-900' })
  seen.listen(live)
  const peer = await world.next()
  t.is(peer.lastEventId, 'e-900')
  peer.open()
  peer.send(event(900) + event(1, 'new', 'tick', 'f') + event(2, 'newer', 'tick', 'f'))
  await seen.until('tick "newer"')
  t.deepEqual(seen.of('tick'), ['"new"', '"newer"'])
  live.close()
})

onBoth('ids of a source are its own business', async (t, { world, seen, options }) => {
  const live = world.connect('/answer', options)
  seen.listen(live)
  const peer = await world.next()
  peer.open()
  peer.send(event(5) + event(3) + event(4) + 'event: tick\ndata: 0\n\n')
  await seen.until('tick 0')
  t.deepEqual(seen.of('tick'), ['5', '3', '4', '0'])
  live.close()
})

onBoth('the URL is asked for before each attempt, until there is none', async (t, { world, seen, options }) => {
  const asked: string[] = []
  world.connect(({ attempt, reason }) => {
    asked.push(`${attempt} ${reason}`)
    return attempt < 3 ? `/events?ticket=${attempt}` : null
  }, options)
  const first = await world.next()
  t.is(first.url.searchParams.get('ticket'), '1')
  first.open()
  await seen.until('open stream')
  first.end()
  await seen.until('waiting closed')
  world.clock.advance(1)
  const second = await world.next()
  t.is(second.url.searchParams.get('ticket'), '2')
  second.open()
  await seen.until('open stream', 2)
  second.end()
  await seen.until('waiting closed', 2)
  world.clock.advance(1)
  await seen.until('ended url')
  t.deepEqual(asked, ['1 start', '2 closed', '3 closed'])
})

onBoth(
  'a URL function that throws, rejects, answers junk or hangs is asked again',
  async (t, { world, seen, options }) => {
    const answers = [
      () => {
        throw new Error('threw')
      },
      () => Promise.reject(new Error('rejected')),
      () => 'http://[ticket',
      () => new Promise<never>(() => undefined),
      () => '/events',
    ]
    const live = world.connect(({ attempt }) => answers[attempt - 1]?.() ?? null, options)
    for (const n of [1, 2, 3, 4]) {
      if (n === 4) world.clock.advance(30_000)
      await seen.until('waiting url', n)
      world.clock.advance(1)
    }
    await world.next()
    t.deepEqual(seen.of('failed:'), [
      'threw',
      'rejected',
      '`url` must be a URL, absolute in Node',
      '`url` took more than 30 s',
    ])
    live.close()
  },
)

for (const how of ['cut', 'online', 'page', 'silent']) {
  test(`a POST that is under way is not sent again: ${how}`, async t => {
    const world = new ScriptedWorld()
    const seen = new Seen()
    const live = world.connect('/answers', { ...seen.options, body: 'pay' })
    seen.listen(live)
    const peer = await world.next()
    peer.open()
    peer.send(HEARTBEAT + 'event: tick\ndata: 1\n\n')
    await seen.until('tick 1')
    await new Promise(setImmediate)
    if (how === 'cut') peer.cut()
    else if (how === 'online') world.wake('online')
    else if (how === 'silent') world.clock.advance(60_000)
    else {
      world.wake('pagehide')
      world.wake('pageshow')
    }
    await seen.until('ended interrupted')
    t.is(world.peers.length, 1)
    t.is(world.clock.pending, 0)
  })
}

onBoth('closed while its URL is asked for, nothing is left that waits', async (t, { world, seen, options }) => {
  const live = world.connect(() => new Promise<string>(() => undefined), options)
  await seen.until('connecting start')
  live.close()
  t.is(world.clock.pending, 0)
})

onBoth('204 ends', async (t, { world, seen, options }) => {
  const live = world.connect('/events', options)
  const peer = await world.next()
  peer.refuse(204)
  await seen.until('ended done')
  t.is(live.readyState, 2)
  t.is(world.clock.pending, 0)
  t.false(world.isListening)
})

onBoth('401 asks for another URL once, at once, and then ends', async (t, { world, seen, options }) => {
  world.connect(({ attempt }) => `/events?ticket=${attempt}`, options)
  const first = await world.next()
  first.refuse(401)
  const second = await world.next()
  second.open()
  await seen.until('open stream')
  second.end()
  await seen.until('waiting closed')
  world.clock.advance(1)
  const third = await world.next()
  third.refuse(401)
  const fourth = await world.next()
  fourth.refuse(401)
  await seen.until('ended unauthenticated')
  t.is(world.peers.length, 4)
})

onBoth('401 ends where there are no other credentials', async (t, { world, seen, options }) => {
  world.connect('/events', options)
  const peer = await world.next()
  peer.refuse(401)
  await seen.until('ended unauthenticated')
  t.is(world.peers.length, 1)
})

onBoth('403 ends, and the status is told', async (t, { world, seen, options }) => {
  world.connect('/events', options)
  const peer = await world.next()
  peer.refuse(403)
  await seen.until('ended status 403')
  t.pass()
})

onBoth('an error of a server, a login page and `Retry-After` are waited for', async (t, { world, seen, options }) => {
  const live = world.connect('/events', options)
  const bad = await world.next()
  bad.refuse(502)
  await seen.until('waiting status 502')
  world.clock.advance(1)
  const page = await world.next()
  page.refuse(200, { 'content-type': 'text/html' })
  await seen.until('waiting not-a-stream')
  world.clock.advance(1)
  const busy = await world.next()
  busy.refuse(503, { 'retry-after': '60' })
  await seen.until('waiting status 503')
  world.clock.advance(59_999)
  t.is(world.unseen, 0)
  world.clock.advance(1)
  await world.next()
  live.close()
  t.is(world.clock.pending, 0)
})

onBoth(
  'the wait grows with full jitter to 30 s, on top of what the server says',
  async (t, { world, seen, options }) => {
    world.chance = 0.5
    const live = world.connect('/events', options)
    const waits: number[] = []
    for (let n = 1; n <= 7; n += 1) {
      const peer = await world.next()
      const reason = `waiting ${peer.kind === 'fetch' ? 'network' : 'closed'}`
      peer.cut()
      await seen.until(reason, n)
      let waited = 0
      while (world.unseen === 0) {
        world.clock.advance(100)
        waited += 100
        // The URL is asked for as a promise.
        await new Promise(setImmediate)
      }
      waits.push(waited)
    }
    t.deepEqual(waits, [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000])
    const peer = await world.next()
    peer.open()
    peer.send('retry: 2000\nevent: heartbeat\ndata: {"heartbeat":25000,"retry":2000}\n\n')
    await seen.until('open stream')
    await new Promise(setImmediate)
    // Healthy for a minute.
    for (let n = 0; n < 12; n += 1) {
      world.clock.advance(5_000)
      peer.send(HEARTBEAT)
      await new Promise(setImmediate)
    }
    peer.cut()
    await seen.until(`waiting ${peer.kind === 'fetch' ? 'network' : 'closed'}`, 8)
    world.clock.advance(2_499)
    await new Promise(setImmediate)
    t.is(world.unseen, 0)
    world.clock.advance(1)
    await world.next()
    live.close()
  },
)

for (const reason of ['done', 'logout', 'revoked']) {
  onBoth(`a server that goes away with \`${reason}\` is not asked again`, async (t, { world, seen, options }) => {
    const live = world.connect('/events', options)
    live.on('goaway', ({ reason }) => seen.note(`goaway ${reason}`))
    const peer = await world.next()
    peer.open()
    peer.send(cursor(1) + goaway(reason))
    await seen.until(`ended ${reason}`)
    t.true(seen.all.includes(`goaway ${reason}`))
    t.is(world.clock.pending, 0)
  })
}

onBoth('a server that drains says when to come back', async (t, { world, seen, options }) => {
  const live = world.connect('/events', options)
  const peer = await world.next()
  peer.open()
  peer.send(cursor(1) + goaway('drain', 7_000))
  await seen.until('waiting drain')
  world.wake('visibilitychange')
  world.clock.advance(6_999)
  await new Promise(setImmediate)
  t.is(world.unseen, 0)
  world.clock.advance(1)
  t.is((await world.next()).lastEventId, 'e-1')
  live.close()
})

onBoth('a page that comes back waits as long as the server says', async (t, { world, seen, options }) => {
  const live = world.connect('/events', options)
  const peer = await world.next()
  peer.open()
  peer.send(cursor(1) + goaway('superseded', 60_000))
  await seen.until('waiting superseded')
  world.wake('pagehide')
  await seen.until('paused page')
  world.wake('pageshow')
  world.clock.advance(59_999)
  await new Promise(setImmediate)
  t.is(world.unseen, 0)
  world.clock.advance(1)
  t.is((await world.next()).lastEventId, 'e-1')
  live.close()
})

onBoth('nothing is told after `close()`, by a listener even', async (t, { world, seen, options }) => {
  const live = world.connect('/events', options)
  live.on('tick', n => {
    seen.note(`tick ${String(n)}`)
    if (n === 2) live.close()
  })
  live.on('tick', n => seen.note(`later ${String(n)}`))
  const peer = await world.next()
  peer.open()
  peer.send(event(1) + event(2) + event(3))
  await seen.until('ended client')
  await new Promise(setImmediate)
  t.deepEqual(seen.of('tick'), ['1', '2'])
  t.deepEqual(seen.of('later'), ['1'])
  t.is(world.clock.pending, 0)
  t.false(world.isListening)
  live.close()
  t.is(seen.all.filter(what => what === 'ended client').length, 1)
})

test('headers may be an object of the platform, and bad ones of a function are named before anything is sent', async t => {
  const world = new ScriptedWorld()
  const seen = new Seen()
  const live = world.connect('/events', { headers: new Headers({ Authorization: 'Bearer 1', Accept: 'text/*' }) })
  const { authorization, accept } = (await world.next()).headers
  t.deepEqual([authorization, accept], ['Bearer 1', 'text/*'])
  live.close()
  const bad = world.connect('/events', { ...seen.options, headers: () => ({ user: 'Łukasz' }) })
  await seen.until('failed: `headers` must be an object of strings that can be sent')
  t.is(world.unseen, 0)
  bad.close()
})

test('by fetch, headers are asked for before each attempt, and a POST that was answered whole is done', async t => {
  const world = new ScriptedWorld()
  const seen = new Seen()
  const live = world.connect('/answer', {
    ...seen.options,
    body: '{"q":1}',
    headers: ({ attempt }) => ({ Authorization: `Bearer ${attempt}` }),
  })
  seen.listen(live, 'token')
  const first = await world.next()
  t.is(first.headers.authorization, 'Bearer 1')
  first.refuse(401)
  const second = await world.next()
  t.deepEqual(
    [second.kind, second.method, second.body, second.headers.authorization],
    ['fetch', 'POST', '{"q":1}', 'Bearer 2'],
  )
  second.open()
  second.send('event: token\ndata: a\n\n')
  await seen.until('token "a"')
  second.end()
  await seen.until('ended done')
})

test('a POST that broke in the middle of an answer is not made again, one that has ids is', async t => {
  for (const [id, end] of [
    ['', 'ended interrupted'],
    ['id: 1\n', 'waiting network'],
  ] as const) {
    const world = new ScriptedWorld()
    const seen = new Seen()
    const live = world.connect('/answer', { ...seen.options, method: 'POST' })
    seen.listen(live, 'token')
    const peer = await world.next()
    peer.open()
    peer.send(`${id}event: token\ndata: a\n\n`)
    await seen.until('token "a"')
    peer.cut()
    await seen.until(end)
    live.close()
  }
  t.pass()
})

test('an answer that is a stream to a HEAD was lost by the network', async t => {
  const world = new ScriptedWorld()
  const seen = new Seen()
  const live = world.connect('/events', seen.options)
  const peer = await world.next()
  t.is(peer.kind, 'eventsource')
  peer.refuse(200, STREAM)
  await seen.until('waiting network')
  live.close()
})

test('what a HEAD does not show, such as the refusal of a resolver, is seen by `fetch`', async t => {
  const world = new ScriptedWorld()
  const seen = new Seen()
  const live = world.connect('/events', seen.options)
  const hidden = await world.next()
  hidden.open()
  hidden.send(cursor(1))
  hidden.refuse(200, STREAM)
  await seen.until('waiting network')
  world.clock.advance(1)
  const open = await world.next()
  t.deepEqual([open.kind, open.lastEventId, open.headers['last-event-id']], ['fetch', 'e-1', undefined])
  open.open()
  await seen.until('open stream', 2)
  open.end()
  await seen.until('waiting closed')
  world.clock.advance(1)
  t.is((await world.next()).kind, 'eventsource')
  live.close()
})
