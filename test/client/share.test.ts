// Connections shared between tabs: the tests share a simulated world of tabs with its own clock.
import test, { type ExecutionContext } from 'ava'
import { connect } from 'koa-event-stream/client'
import { Random, seedOf } from '../support/random.ts'
import { TabsWorld, type Tab } from './tabs.ts'

function openWorld(t: ExecutionContext): TabsWorld {
  const seed = seedOf(process.env)
  t.log(`SEED=${seed}`)
  return new TabsWorld(new Random(seed))
}

/** Opens so many tabs, one after the other: the first leads. */
async function openTabs(world: TabsWorld, count: number): Promise<[Tab, Tab, ...Tab[]]> {
  const tabs: Tab[] = []
  for (let n = 0; n < count; n += 1) {
    tabs.push(world.open())
    await world.settle()
  }
  return tabs as [Tab, Tab, ...Tab[]]
}

test('seven tabs have one connection, and each is told all', async t => {
  const world = openWorld(t)
  const tabs = await openTabs(world, 7)
  for (let n = 1; n <= 3; n += 1) world.publish()
  await world.settle()
  for (const tab of tabs) {
    t.deepEqual(tab.of(), [1, 2, 3])
    t.is(tab.state, 'open stream')
    t.is(tab.live.lastEventId, 'e-3')
    t.is(tab.live.url, 'https://app.test/events')
  }
  t.is(world.streams.length, 1)
})

test('a leader that closes, crashes or leaves is followed by the next tab, from where all of them are', async t => {
  for (const how of ['close', 'crash', 'leave'] as const) {
    const world = openWorld(t)
    const [leader, second, third] = await openTabs(world, 3)
    world.publish()
    await world.settle()
    if (how === 'close') leader.live.close()
    else leader[how]()
    world.publish()
    await world.settle()
    world.publish()
    await world.settle()
    t.deepEqual(second.of(), [1, 2, 3], how)
    t.deepEqual(third?.of(), [1, 2, 3], how)
    t.deepEqual(
      world.streams.map(({ lastEventId }) => lastEventId),
      ['', 'e-1'],
      how,
    )
    t.is(world.openStreams.length, 1)
  }
})

test('a page that comes back joins by its cursor', async t => {
  const world = openWorld(t)
  const [leader, second] = await openTabs(world, 2)
  for (const tab of [second, leader]) {
    tab.leave()
    await world.settle()
    t.is(tab.state, 'paused page')
    world.publish()
    world.publish()
    tab.return()
    await world.settle()
    t.is(tab.state, 'open stream')
  }
  t.deepEqual(leader.of(), [1, 2, 3, 4])
  t.deepEqual(second.of(), [1, 2, 3, 4])
  t.is(world.openStreams.length, 1)
})

test('a leader that is frozen is replaced, and brings nothing twice once it is thawed', async t => {
  const world = openWorld(t)
  const [leader, second, third] = await openTabs(world, 3)
  third?.hide()
  leader.freeze()
  world.publish()
  await world.pass(1_600)
  t.deepEqual(second.of(), [1])
  t.deepEqual(third?.of(), [1])
  world.publish()
  await world.settle()
  leader.thaw()
  await world.settle()
  world.publish()
  await world.settle()
  for (const tab of world.tabs) t.deepEqual(tab.of(), [1, 2, 3])
  t.is(world.openStreams.length, 1)
  t.is(world.openStreams[0]?.tab, second)
})

test('a tab that has slept does not take its leader for dead', async t => {
  const world = openWorld(t)
  const [leader] = await openTabs(world, 2)
  // Nobody has slept longer than the clock.
  for (const tab of world.tabs) tab.freeze()
  await world.pass(60_000)
  for (const tab of world.tabs) tab.thaw()
  await world.pass(5_000)
  t.is(world.streams.length, 1)
  t.is(world.streams[0]?.tab, leader)
})

test('a tab that can be seen takes over from a hidden one after two seconds', async t => {
  const world = openWorld(t)
  const [leader, second] = await openTabs(world, 2)
  second.hide()
  await world.pass(5_000)
  leader.hide()
  await world.pass(5_000)
  second.show()
  await world.pass(1_900)
  t.is(world.openStreams[0]?.tab, leader)
  await world.pass(1_200)
  t.is(world.openStreams.length, 1)
  t.is(world.openStreams[0]?.tab, second)
  world.publish()
  await world.settle()
  for (const tab of world.tabs) t.deepEqual(tab.of(), [1])
})

for (const reason of ['done', 'logout', 'revoked']) {
  test(`\`${reason}\` ends all tabs, and nobody asks again`, async t => {
    const world = openWorld(t)
    const tabs = await openTabs(world, 3)
    world.openStreams[0]?.send({ event: 'goaway', data: JSON.stringify({ reason }) })
    await world.pass(60_000)
    for (const tab of tabs) t.is(tab.state, `ended ${reason}`)
    t.is(world.streams.length, 1)
    t.is(world.openStreams.length, 0)
    t.is(world.channels.size, 0)
    t.is(world.clock.pending, 0)
    const next = world.open()
    await world.settle()
    t.is(next.state, 'open stream')
  })
}

test('a URL function that answers `null` ends all, and is asked in the tab that leads', async t => {
  const world = openWorld(t)
  let hasEnded = false
  const asked: string[] = []
  const url = (name: string) => () => {
    asked.push(name)
    return hasEnded ? null : '/events'
  }
  const first = world.open({}, [], url('first'))
  await world.settle()
  const second = world.open({}, [], url('second'))
  await world.settle()
  hasEnded = true
  world.openStreams[0]?.end()
  await world.pass(5_000)
  t.is(first.state, 'ended url')
  t.is(second.state, 'ended url')
  t.deepEqual(asked, ['first', 'first'])
})

test('tabs of another identity, or another name, have a connection of their own', async t => {
  const world = openWorld(t)
  const shares = [
    { name: 'news', identity: 'ann' },
    { name: 'news', identity: 'bob' },
    { name: 'chat', identity: 'ann' },
  ]
  for (const share of shares) {
    world.open({ share })
    await world.settle()
  }
  t.is(world.openStreams.length, 3)
  world.openStreams[0]?.send({ event: 'goaway', data: '{"reason":"logout"}' })
  await world.pass(2_000)
  t.deepEqual(
    world.tabs.map(({ state }) => state),
    ['ended logout', 'open stream', 'open stream'],
  )
})

test('a tab that begins loads its state where the others are, and is told the rest', async t => {
  const world = openWorld(t)
  await openTabs(world, 1)
  world.publish()
  world.publish()
  await world.settle()
  const why: unknown[] = []
  const late = world.open({
    load: reason => {
      why.push(reason)
      return { cursor: world.cursor }
    },
  })
  late.live.on('cursor', () => late.told.push('cursor'))
  await world.settle()
  world.publish()
  await world.settle()
  t.deepEqual(why, [{ reason: 'start' }])
  t.deepEqual(late.told, ['cursor', 'tick 3'])
  t.is(world.streams.length, 1)
})

test('tabs that wait for the first connection load when it stands', async t => {
  const world = openWorld(t)
  let loads = 0
  const load = () => {
    loads += 1
  }
  for (let n = 0; n < 3; n += 1) world.open({ load })
  await world.settle()
  t.is(loads, 3)
  t.is(world.streams.length, 1)
})

test('what a tab lacks comes from the leader, or from the server where it is too old for that', async t => {
  const world = openWorld(t)
  for (let n = 1; n <= 5; n += 1) world.publish()
  const leader = world.open({ since: 'e-3' })
  await world.settle()
  const near = world.open({ since: 'e-4' })
  await world.settle()
  t.deepEqual(near.of(), [5])
  t.is(world.streams.length, 1)
  const far = world.open({ since: 'e-1' })
  await world.settle()
  t.deepEqual(far.of(), [2, 3, 4, 5])
  t.is(world.streams.length, 2)
  t.deepEqual(leader.of(), [4, 5])
  world.publish()
  await world.settle()
  t.deepEqual(leader.of(), [4, 5, 6])
  t.deepEqual(near.of(), [5, 6])
  t.deepEqual(far.of(), [2, 3, 4, 5, 6])
})

test('many messages are kept, and not more', async t => {
  const world = openWorld(t)
  const [, second] = await openTabs(world, 2)
  second.leave()
  await world.settle()
  for (let n = 0; n < 1_000; n += 1) world.publish()
  await world.settle()
  second.return()
  await world.settle()
  t.is(world.streams.length, 1)
  t.is(second.of().length, 1_000)
  second.leave()
  await world.settle()
  for (let n = 0; n < 1_005; n += 1) world.publish()
  await world.settle()
  second.return()
  await world.settle()
  t.is(world.streams.length, 2)
  for (const tab of world.tabs)
    t.deepEqual(
      tab.of(),
      Array.from({ length: 2_005 }, (_, n) => n + 1),
    )
})

test('cursors of several lives of the log: each tab is told its gap, and nobody goes round in circles', async t => {
  const world = openWorld(t)
  world.publish()
  const [leader] = await openTabs(world, 1)
  world.publish()
  await world.settle()
  world.begin('f')
  await world.pass(3_000)
  world.publish()
  await world.settle()
  t.deepEqual(leader.told, ['tick 2', 'gap epoch', 'tick 1'])
  // The first reaches the place where the leader's own gap is, the second one no place at all.
  const near = world.open({ since: 'e-2' })
  const far = world.open({ since: 'd-7' })
  await world.settle()
  const streams = world.streams.length
  world.publish()
  await world.settle()
  t.deepEqual(near.told.slice(0, 1), ['gap epoch'])
  t.deepEqual(far.told.slice(0, 1), ['gap epoch'])
  for (const tab of world.tabs) t.is(tab.told.at(-1), 'tick 2')
  await world.pass(10_000)
  t.is(world.streams.length, streams)
  t.is(world.openStreams.length, 1)
})

test('a tab with a cursor of the new life of the log: those with one of the old life are told of their gap', async t => {
  const world = openWorld(t)
  const tabs = await openTabs(world, 2)
  world.publish()
  await world.settle()
  world.begin('f')
  await world.settle()
  world.publish()
  world.publish()
  // Rendered in the new life, before the leader has come back to it.
  const late = world.open({ since: 'f-1' })
  await world.pass(40_000)
  world.publish()
  await world.settle()
  for (const tab of tabs) t.deepEqual(tab.told, ['tick 1', 'gap epoch', 'tick 3'])
  t.deepEqual(
    late.told.filter(one => one.startsWith('tick')),
    ['tick 2', 'tick 3'],
  )
  t.is(world.openStreams.length, 1)
})

test('an EventSource shows a tab what it alone listens to', async t => {
  const world = openWorld(t)
  const first = world.open({}, ['tick'])
  await world.settle()
  world.publish('tock')
  world.publish('tick')
  await world.settle()
  const second = world.open({ since: 'e-0' }, ['tick', 'tock'])
  await world.settle()
  t.deepEqual(second.told, ['tock 1', 'tick 2'])
  first.listen('late')
  await world.settle()
  world.publish('late')
  world.publish('tock')
  await world.settle()
  t.deepEqual(first.told, ['tick 2', 'late 3'])
  t.deepEqual(second.told, ['tock 1', 'tick 2', 'tock 4'])
  t.is(world.openStreams.length, 1)
  first.live.close()
  await world.settle()
  world.publish('tock')
  await world.settle()
  t.is(second.told.at(-1), 'tock 5')
})

test('a tab that is slow does not hold the others up, and misses nothing', async t => {
  const world = openWorld(t)
  const slow = world.open({ events: ['tick'] })
  await world.settle()
  const fast = world.open()
  await world.settle()
  const reader = slow.live[Symbol.asyncIterator]()
  for (let n = 0; n < 2_500; n += 1) world.publish()
  await world.settle()
  t.is(slow.state, 'paused slow')
  t.is(fast.of().length, 2_500)
  for (let n = 1; n <= 2_500; n += 1) {
    const reading = reader.next()
    await world.settle()
    t.is((await reading).value?.data, n)
  }
  t.is(world.openStreams.length, 1)
})

for (const who of ['leads', 'follows']) {
  test(`a slow tab that ${who} as the stream ends asks for the rest once it can take it`, async t => {
    const world = openWorld(t)
    const [first, second] = [world.open({ events: ['tick'] }), world.open({ events: ['tick'] })]
    await world.settle()
    const leader = world.openStreams[0]?.tab
    const slow = (who === 'leads') === (first === leader) ? first : second
    const reader = slow.live[Symbol.asyncIterator]()
    for (let n = 0; n < 1_500; n += 1) world.publish()
    await world.settle()
    t.is(slow.state, 'paused slow')
    world.openStreams[0]?.send({ event: 'goaway', data: '{"reason":"done"}' })
    await world.pass(5_000)
    // Nobody reads: the server is not asked again.
    t.is(slow.state, 'paused slow')
    t.is(world.streams.length, 1)
    for (let n = 1; n <= 1_500; n += 1) {
      const reading = reader.next()
      await world.settle()
      t.is((await reading).value?.data, n)
    }
    t.is(slow.state, 'open stream')
    world.openStreams[0]?.send({ event: 'goaway', data: '{"reason":"done"}' })
    await world.pass(5_000)
    t.is(slow.state, 'ended done')
    t.true((await reader.next()).done)
    t.is(world.channels.size, 0)
    t.is(world.clock.pending, 0)
  })
}

test('`close()` ends one tab only', async t => {
  const world = openWorld(t)
  const [leader, second] = await openTabs(world, 2)
  second.live.close()
  await world.settle()
  t.is(second.state, 'ended client')
  t.is(leader.state, 'open stream')
  leader.live.close()
  await world.settle()
  t.is(world.openStreams.length, 0)
  t.is(world.channels.size, 0)
  t.is(world.clock.pending, 0)
  t.deepEqual(
    [...world.locks.values()].map(requests => requests.length),
    [0],
  )
})

test('closed at once, nothing is opened', async t => {
  const world = openWorld(t)
  world.open().live.close()
  await world.settle()
  t.is(world.streams.length, 0)
  t.is(world.channels.size, 0)
})

test('without locks, or where they are refused, each tab has its own connection', async t => {
  for (const locks of [undefined, { request: () => Promise.reject(new DOMException('opaque', 'SecurityError')) }]) {
    const world = openWorld(t)
    for (let n = 0; n < 2; n += 1) {
      const tab = world.open({ share: { name: 'news', identity: 'ann' } })
      // Before the file is loaded that looks for them.
      Object.assign(tab.env.page, { navigator: { locks } })
      await world.settle()
    }
    world.publish()
    await world.settle()
    t.is(world.openStreams.length, 2)
    for (const tab of world.tabs) {
      t.deepEqual(tab.of(), [1])
      t.deepEqual(tab.errors, [])
      tab.leave()
      await world.settle()
    }
    world.publish()
    for (const tab of world.tabs) {
      tab.return()
      await world.settle()
      t.deepEqual(tab.of(), [1, 2])
      tab.live.close()
    }
    await world.settle()
    t.is(world.openStreams.length, 0)
    t.is(world.clock.pending, 0)
  }
})

test('where channels are refused, each tab has its own connection', async t => {
  const world = openWorld(t)
  for (let n = 0; n < 2; n += 1) {
    const tab = world.open()
    Object.assign(tab.env.page, {
      BroadcastChannel: function () {
        throw new DOMException('The operation is insecure.', 'SecurityError')
      },
    })
    await world.settle()
  }
  world.publish()
  await world.settle()
  t.is(world.openStreams.length, 2)
  for (const tab of world.tabs) {
    t.deepEqual(tab.of(), [1])
    t.deepEqual(tab.errors, [])
  }
})

for (const share of [
  null,
  'news',
  {},
  { name: 'news' },
  { name: '', identity: 'ann' },
  { name: 'news', identity: 5 },
]) {
  test(`refused at once: ${JSON.stringify(share)}`, t => {
    t.throws(() => connect('http://x', { share: share as never }), {
      instanceOf: TypeError,
      message: /^`share` must be an object of strings/,
    })
  })
}

test('refused at once: sharing with POST', t => {
  t.throws(() => connect('http://x', { share: { name: 'news', identity: 'ann' }, method: 'POST' }), {
    instanceOf: TypeError,
    message: /`share` must be .* with GET/,
  })
})
