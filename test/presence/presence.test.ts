import test from 'ava'
import { presenceOf, type HubOptions } from 'koa-event-stream'
import { eventually } from '../support/eventually.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { counts, openSite, statesOf, untilCount, untilOccupied } from './site.ts'

// Nobody is kept for longer than a client was told to wait.
const SOON: HubOptions = { presence: { grace: 0 } }

test('whoever enters and leaves is told to those who watch, tabs counted once', async t => {
  const { watch, enter, hub } = await openSite(t)
  const watcher = await watch()
  t.deepEqual(statesOf(watcher), [{ topic: 'room', count: 0, members: [] }])
  const first = await enter('ada')
  t.deepEqual((await untilCount(watcher, 1)).members, [{ id: 'ada' }])
  const second = await enter('ada')
  await enter('bob')
  t.deepEqual((await untilCount(watcher, 2)).members, [{ id: 'ada' }, { id: 'bob' }])
  t.deepEqual(await hub.presence('room'), { count: 2, members: [{ id: 'ada' }, { id: 'bob' }] })
  first.close()
  await hub.disconnect({ identity: 'bob' }, 'logout')
  t.deepEqual((await untilCount(watcher, 1)).members, [{ id: 'ada' }], 'one of the two tabs is left')
  t.is(await hub.occupancy('room'), 1)
  second.close()
  await untilCount(watcher, 0)
})

test('an end of the login, or of the topic, is an end of the presence at once', async t => {
  const clock = new ManualClock()
  const { enter, hub, streams } = await openSite(t, { clock })
  for (const user of ['ada', 'bob', 'cy', 'dan']) await enter(user)
  t.is(await hub.occupancy('room'), 4)
  await hub.disconnect({ session: 'ada' }, 'logout')
  streams[1]?.unsubscribe('room')
  streams[2]?.close()
  await untilOccupied(hub, 2)
  t.deepEqual((await hub.presence('room')).members, [{ id: 'cy' }, { id: 'dan' }], 'a client that may come back')
  clock.advance(20_000)
  await untilOccupied(hub, 1)
})

test('a reload or a reconnect is not seen', async t => {
  const clock = new ManualClock()
  const { watch, enter, hub, streams } = await openSite(t, { clock, presence: { grace: 6_000 } })
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 250) {
      clock.advance(250)
      await new Promise(setImmediate)
    }
  }
  const watcher = await watch()
  const before = await enter('ada')
  await pass(1_000)
  await untilCount(watcher, 1)
  for (let n = 0; n < 3; n += 1) {
    streams.at(-1)?.close()
    await before.closed
    await pass(5_000)
    await enter('ada')
    await pass(1_000)
  }
  t.deepEqual(counts(watcher), [0, 1])
  streams.at(-1)?.close()
  await pass(12_000)
  await untilCount(watcher, 0)
  t.deepEqual(counts(watcher), [0, 1, 0])
  t.is(await hub.occupancy('room'), 0)
})

test('a row of long polls is one presence', async t => {
  const clock = new ManualClock()
  const { open, watch, hub } = await openSite(t, { clock })
  const watcher = await watch()
  let cursor = ''
  for (let n = 0; n < 4; n += 1) {
    const poll = await open(`user=ada&in=room&stream=poll${cursor}`)
    cursor = `&lastEventId=${poll.received.findLast(({ id }) => id !== undefined)?.id ?? ''}`
    if (n > 0) await hub.publish('quiet', { data: 'x' })
    t.is(await poll.closed, 'end')
    clock.advance(9_000)
    await new Promise(setImmediate)
    t.is(await hub.occupancy('room'), 1)
  }
  await untilCount(watcher, 1)
  clock.advance(12_000)
  await untilOccupied(hub, 0)
  clock.advance(1_000)
  await untilCount(watcher, 0)
  t.deepEqual(counts(watcher), [0, 1, 0])
})

test('what is said of somebody is told, and the latest stands', async t => {
  const site = await openSite(t)
  const watcher = await site.watch()
  site.presence = { name: 'Ada', tags: ['a b', 'ä\n'] }
  await site.enter('ada')
  t.deepEqual((await untilCount(watcher, 1)).members, [{ id: 'ada', info: site.presence }])
  site.presence = 'busy'
  await site.enter('ada')
  site.presence = 7
  await site.enter('bob')
  const members = [
    { id: 'ada', info: 'busy' },
    { id: 'bob', info: 7 },
  ]
  t.deepEqual((await untilCount(watcher, 2)).members, members)
  t.deepEqual(await site.hub.presence('room'), { count: 2, members })
  t.deepEqual(await site.hub.presence('room', { most: 1 }), { count: 2, members: members.slice(0, 1) })
  t.deepEqual(await site.hub.presence('room', { most: 0 }), { count: 2, members: [] })
})

test('`presence: false` makes nobody present, and junk is refused by its name', async t => {
  const site = await openSite(t)
  for (const presence of [false, undefined]) {
    site.presence = presence
    t.is((await site.enter('ada')).status, 200)
  }
  const circular: Record<string, unknown> = {}
  circular.self = circular
  const throwing = {
    toJSON: () => {
      throw new Error('no')
    },
  }
  const junk = [null, () => true, Symbol('x'), 1n, NaN, circular, throwing, Promise.resolve(1), 'x'.repeat(1_023)]
  for (const presence of junk) {
    site.presence = presence
    t.is((await site.enter('ada')).status, 500)
    const error = site.refusals.at(-1)?.error
    t.true(error instanceof TypeError && error.message.includes('`presence`'), String(error))
  }
  t.is(await site.hub.occupancy('room'), 0)
  site.presence = 'x'.repeat(1_022)
  await site.enter('ada')
  t.is(await site.hub.occupancy('room'), 1)
})

test('a stream without an identity is nobody', async t => {
  const site = await openSite(t, {}, true)
  t.is((await site.enter('ada')).status, 500)
  t.regex(String(site.refusals.at(-1)?.error), /TypeError: the `presence` of a topic needs an identity/)
})

test('nobody publishes where presence is told, is present there, or watches the watchers', async t => {
  const { hub } = await openSite(t)
  const topic = presenceOf('room')
  await t.throwsAsync(hub.publish(topic, { data: 'x' }), { code: 'ERR_TOPIC_INVALID', message: /presence topic/ })
  t.throws(() => presenceOf(topic), { code: 'ERR_TOPIC_INVALID' })
  t.throws(() => presenceOf('a b'), { code: 'ERR_TOPIC_INVALID' })
  for (const ask of [hub.presence(topic), hub.occupancy('a*')]) await t.throwsAsync(ask, { code: 'ERR_TOPIC_INVALID' })
  await t.throwsAsync(hub.presence('room', { most: -1 }), { instanceOf: TypeError, message: /`most`/ })
  await hub.close()
  for (const ask of [hub.presence('room'), hub.occupancy('room')]) await t.throwsAsync(ask, { code: 'ERR_HUB_CLOSED' })
})

test('a topic of presence that is added to a living stream is told there, too', async t => {
  const { enter, open, streams } = await openSite(t)
  await enter('ada')
  const late = await open('user=bob')
  await streams.at(-1)?.subscribe(presenceOf('room'))
  t.deepEqual((await untilCount(late, 1)).members, [{ id: 'ada' }])
})

test('who comes back after a while resumes, or is told anew how it stands', async t => {
  const clock = new ManualClock()
  const site = await openSite(t, { clock })
  const watcher = await site.watch()
  await site.enter('ada')
  clock.advance(1_000)
  await untilCount(watcher, 1)
  const id = watcher.received.findLast(({ event }) => event === 'presence')?.id ?? ''
  watcher.close()
  await site.enter('bob')
  clock.advance(1_000)
  await untilOccupied(site.hub, 2)
  const soon = await site.open(`user=w&watch=room&lastEventId=${id}`)
  await untilCount(soon, 2)
  t.deepEqual(counts(soon), [2])
  clock.advance(3_600_000)
  const late = await site.open(`user=w&watch=room&lastEventId=${id}`)
  t.deepEqual(counts(late), [2])
})

test('of a large crowd the number is told alone, and as much as the hub allows', async t => {
  const { watch, enter, hub } = await openSite(t, { presence: { members: 2 } })
  const watcher = await watch()
  for (const user of ['a', 'b']) await enter(user)
  t.is((await untilCount(watcher, 2)).members?.length, 2)
  await enter('c')
  t.deepEqual(await untilCount(watcher, 3), { topic: 'room', count: 3 })
  t.is((await hub.presence('room')).members.length, 3)

  const small = await openSite(t, { maxEventBytes: 200 })
  small.presence = 'x'.repeat(300)
  const other = await small.watch()
  await small.enter('a')
  t.deepEqual(await untilCount(other, 1), { topic: 'room', count: 1 })
})

test('what nobody is to see is redacted, and one that fails is a fault, once a change', async t => {
  const redact = (data: object) => JSON.parse(JSON.stringify(data).replaceAll('secret', '-')) as unknown
  const site = await openSite(t, { redact })
  const watcher = await site.watch()
  site.presence = 'secret'
  await site.enter('ada')
  t.deepEqual((await untilCount(watcher, 1)).members, [{ id: 'ada', info: '-' }])

  const failing = await openSite(t, {
    redact: () => {
      throw new Error('no')
    },
  })
  await failing.enter('ada')
  await eventually(
    () => failing.faults.length > 0,
    () => 'no fault was told',
  )
  t.is(failing.faults[0]?.during, 'presence')
})

test('a hub that drains and closes leaves its rooms', async t => {
  const { enter, hub } = await openSite(t, SOON)
  await enter('ada')
  const told: string[] = []
  hub.on('fault', ({ during }) => told.push(during))
  await hub.close()
  t.deepEqual(told, [])
})
