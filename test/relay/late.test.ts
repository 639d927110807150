// Readers that come late or fall behind, and logs that have lost events, on both engines.
import test from 'ava'
import { memoryBroker } from 'koa-event-stream'
import { connect } from 'koa-event-stream/client'
import type { SentEvent } from 'koa-event-stream/relay'
import { checkHub } from '../../lib/koa/door-config.ts'
import type { RunState } from '../../lib/relay/run-log.ts'
import { RunStore } from '../../lib/relay/run-store.ts'
import { eventually } from '../support/eventually.ts'
import { openStream, raw } from '../support/http.ts'
import { ENGINES, openPair, openSite, told, until, whole } from './site.ts'

const compact = (events: readonly SentEvent[]) => ({ event: 'text', data: events.map(({ data }) => data).join('') })

for (const engine of ENGINES) {
  test(`${engine}: with compact, who comes late gets one event of all before, and goes on from it`, async t => {
    const [one, other] = await openPair(t, engine, { start: { compact } })
    const starter = await one.start('a')
    const script = await one.script('a')
    script.say('x', 'y', 'z')
    await until(starter, 'z')
    const late = await one.follow('a')
    await until(late, 'xyz')
    const far = await other.follow('a')
    script.say('!')
    script.end()
    t.deepEqual(await whole(late), ['text xyz', 'token !', 'done {"reason":"end"}'])
    t.is((await whole(far)).map(line => line.replace(/^\S+ /, '')).join(''), 'xyz!{"reason":"end"}')
    t.deepEqual(await whole(await other.follow('a')), ['text xyz!', 'done {"reason":"end"}'])
    const since = late.received.find(({ event }) => event === 'text')?.id
    t.deepEqual(await whole(await other.follow('a', { since })), ['token !', 'done {"reason":"end"}'])
    const early = starter.received.find(({ data }) => data === 'x')?.id
    const back = await other.follow('a', { since: early })
    t.deepEqual(await whole(back), ['token y', 'token z', 'token !', 'done {"reason":"end"}'])
    t.notRegex(told(back.received).join(), /gap/)
  })

  test(`${engine}: a long run without compact is told as torn to who comes late, and cut where it is plain`, async t => {
    const [one, other] = await openPair(t, engine, { relay: { limits: { size: 65_536 } } })
    const starter = await one.start('a')
    const script = await one.script('a')
    for (let number = 0; number < 40; number += 1) script.say(`${String(number)} ${'.'.repeat(5_000)}`)
    script.end()
    t.is((await whole(starter)).length, 41)
    const late = await other.follow('a')
    t.is((await whole(late)).at(-1), 'done {"reason":"end"}')
    t.regex(told(late.received)[0] ?? '', /^gap .*"trimmed"/)
    t.is(await (await other.plain('a')).closed, 'cut')
  })
}

test('events that come soon after each other are one publish, each with an id of its own', async t => {
  const site = await openSite(t, { relay: { linger: 60_000 } })
  const starter = await site.start('a')
  const script = await site.script('a')
  script.say('1', '2', '3')
  script.end()
  t.deepEqual(await whole(starter), ['token 1', 'token 2', 'token 3', 'done {"reason":"end"}'])
  const ids = starter.received.filter(({ event }) => event === 'token').map(({ id }) => id?.replace(/^\w+-/, ''))
  t.deepEqual(ids, ['1', '2', '3'])
  const large = await site.start('b')
  const second = await site.script('b')
  second.say('x'.repeat(20_000))
  await until(large, 'x'.repeat(20_000))
  t.pass('what is large does not wait')
})

test('a source is asked no faster than its events are published, and others have their turn', async t => {
  let asked = 0
  const site = await openSite(t, {
    start: {
      run: async function* () {
        for (; asked < 5_000; asked += 1) yield { data: String(asked) }
      },
    },
  })
  const stream = await site.start('a')
  t.is((await whole(stream)).length, 5_001)
})

test('a reader that reads slowly gets all of it, and holds little', async t => {
  const site = await openSite(t, { relay: { limits: { size: 50_000_000 } } })
  await site.start('a')
  const script = await site.script('a')
  const { port } = new URL(site.url)
  const slow = await raw(Number(port), 'GET /runs/a HTTP/1.1\r\nHost: x\r\nX-User: ann\r\n\r\n')
  await slow.until(/event: cursor/)
  slow.pause()
  const texts = Array.from({ length: 300 }, (_, n) => `${String(n)}${'x'.repeat(50_000)}`)
  script.say(...texts)
  script.end()
  const quick = await site.follow('a')
  t.is((await whole(quick)).length, 301)
  t.true(site.hub.stats().bufferedBytes < 2_000_000, String(site.hub.stats().bufferedBytes))
  slow.resume()
  await slow.until('event: done')
  await site.isEmpty()
})

test.serial(
  'a reader that is behind is waited for, also where a piece of the answer does not fit into its buffer with the one before',
  async t => {
    const site = await openSite(t, {
      start: { buffer: { bytes: 20_000, stall: 600_000 } },
      relay: { limits: { size: 50_000_000 } },
    })
    await site.start('a')
    const script = await site.script('a')
    const { port } = new URL(site.url)
    const slow = await raw(Number(port), 'POST /runs/a HTTP/1.1\r\nHost: x\r\nX-User: ann\r\nContent-Length: 0\r\n\r\n')
    await slow.until(/event: cursor/)
    slow.pause()
    const texts = Array.from({ length: 5_000 }, (_, n) => `${String(n)}${'x'.repeat(3_000)}`)
    script.say(...texts)
    script.end()
    t.is((await whole(await site.follow('a'))).length, 5_001)
    slow.resume()
    await slow.until('event: done')
    await site.isEmpty()
  },
)

// Has a log take the first of these and lose it at once.
function losing(broker: ReturnType<typeof memoryBroker>, what: string): void {
  const publish = broker.publish.bind(broker)
  let hasLost = false
  broker.publish = async (topics, body, notes) => {
    if (hasLost || !Buffer.from(body).includes(what)) return publish(topics, body, notes)
    hasLost = true
    return 'abc-1'
  }
}

test('who waits for a dead producer is told so also where the log has lost the first word of it', async t => {
  const broker = memoryBroker()
  losing(broker, 'interrupted')
  const site = await openSite(t, { hub: { broker }, relay: { lease: 1_000 } })
  await new RunStore(broker.store, 'runs', 600_000).enter('a', { name: 'abc', owner: 'ann' })
  t.deepEqual(await whole(await site.follow('a')), ['interrupted {"reason":"lost"}'])
})

test('a producer whose end the log has lost says it again', async t => {
  const broker = memoryBroker()
  losing(broker, 'done')
  const site = await openSite(t, { hub: { broker }, relay: { lease: 1_000 } })
  const starter = await site.start('a')
  const script = await site.script('a')
  script.say('1')
  script.end()
  t.deepEqual(await whole(starter), ['token 1', 'done {"reason":"end"}'])
})

test('an answer of which the log has lost a part is not told as whole', async t => {
  const broker = memoryBroker()
  losing(broker, 'middle')
  const site = await openSite(t, { hub: { broker } })
  const starter = await site.start('a')
  const plain = await site.plain('a')
  const script = await site.script('a')
  script.say('1')
  await until(starter, '1')
  script.say('middle')
  script.end()
  t.deepEqual(await whole(starter), ['token 1', 'done {"reason":"end"}'])
  t.regex(told(starter.received).join(), /gap .*"trimmed"/)
  t.is(await plain.closed, 'cut')
})

test('what a log has lost is kept by the producer at once, and never less of it', async t => {
  const broker = memoryBroker()
  const kept: RunState[] = []
  const set = broker.store.set.bind(broker.store)
  broker.store.set = async (...args) => {
    if (args[0].includes(':state:')) kept.push(JSON.parse(args[1]) as RunState)
    await set(...args)
  }
  const site = await openSite(t, { hub: { broker } })
  const starter = await site.start('a')
  const script = await site.script('a')
  script.say('1', '2')
  const { id = '' } = await until(starter, '2')
  checkHub(site.hub).registry.tell([`relay:runs:${id.replace(/-.*/, '')}`], 'trimmed')
  await eventually(
    () => kept.length > 1,
    () => 'nothing is kept',
  )
  t.deepEqual(
    kept.slice(1).map(({ events }) => events.map(([, data]) => data)),
    [['1', '2']],
  )
  script.end()
  t.deepEqual(await whole(starter), ['token 1', 'token 2', 'done {"reason":"end"}'])
})

test('ids of other runs, of the log and of nobody are told as gaps, and the answer is read from its beginning', async t => {
  const site = await openSite(t)
  await site.start('a')
  const script = await site.script('a')
  script.say('1')
  script.end()
  await whole(await site.follow('a'))
  for (const [since, reason] of [
    ['b-1', 'epoch'],
    [await site.hub.cursor(), 'epoch'],
    ['junk!', 'unknown'],
  ] as const) {
    const stream = await site.follow('a', { since })
    t.deepEqual(await whole(stream), ['token 1', 'done {"reason":"end"}'])
    t.regex(told(stream.received)[0] ?? '', new RegExp(`^gap .*"${reason}"`))
    const plain = await site.plain('a', { since })
    await plain.closed
    t.deepEqual(told(plain.received), ['token 1'])
  }
})

test('the ids of runs may have any characters, and are bounded', async t => {
  const site = await openSite(t)
  for (const id of ['a b', 'ä:{}*#', '../x', '%00', '𝄞'.repeat(128)]) {
    const stream = await site.start(id)
    ;(await site.script(id)).end()
    t.deepEqual(await whole(stream), ['done {"reason":"end"}'], id)
    t.deepEqual(await whole(await site.follow(id)), ['done {"reason":"end"}'], id)
  }
  t.is((await site.follow('x'.repeat(257), { as: 'auditor' })).status, 404)
  t.is((await site.start('x'.repeat(257))).status, 400)
})

test('a long poll ends behind what is new, and goes on from there', async t => {
  const site = await openSite(t)
  await site.start('a')
  const script = await site.script('a')
  script.say('1')
  const poll = (since?: string) =>
    openStream(`${site.url}/runs/a?stream=poll`, {
      headers: { 'x-user': 'ann', ...(since !== undefined && { 'last-event-id': since }) },
    })
  await until(await site.follow('a'), '1')
  const first = await poll()
  t.deepEqual(await whole(first), ['token 1'])
  t.notRegex(told(first.received).join('\n'), /goaway/)
  const { id } = first.received.find(({ event }) => event === 'token') ?? {}
  const second = await poll(id)
  script.say('2')
  t.deepEqual(await whole(second), ['token 2'])
  script.end()
  t.deepEqual(await whole(await poll(second.received.find(({ event }) => event === 'token')?.id)), [
    'done {"reason":"end"}',
  ])
})

test('a long poll that comes before the first event has a place to come back to, and waits from then on', async t => {
  const site = await openSite(t)
  await site.start('a')
  const script = await site.script('a')
  const poll = (since?: string) =>
    openStream(`${site.url}/runs/a?stream=poll`, {
      headers: { 'x-user': 'ann', ...(since !== undefined && { 'last-event-id': since }) },
    })
  const first = await poll()
  t.deepEqual(await whole(first), [])
  const { id } = first.received.find(({ event }) => event === 'cursor') ?? {}
  t.truthy(id)
  const second = await poll(id)
  await second.next(({ event }) => event === 'cursor')
  script.say('1')
  script.end()
  t.deepEqual((await whole(second)).slice(0, 1), ['token 1'])
  // It has seen nothing of the run that was before, either.
  await site.start('b')
  ;(await site.script('b')).end()
  const other = await site.follow('b', { since: id })
  t.deepEqual(await whole(other), ['done {"reason":"end"}'])
  t.notRegex(told(other.received).join(), /gap/)
})

test('the client reads a run, is cut in the middle, and gets each event once', async t => {
  const site = await openSite(t)
  await site.start('a')
  const script = await site.script('a')
  const live = connect(`${site.url}/runs/a`, { headers: { 'x-user': 'ann' } })
  t.teardown(() => live.close())
  const seen: string[] = []
  const reading = (async () => {
    for await (const { event, data } of live) seen.push(`${event} ${String(data)}`)
  })()
  script.say('1', '2')
  await eventually(
    () => seen.includes('token 2'),
    () => 'it has not come',
  )
  await site.hub.disconnect({ identity: 'ann' })
  script.say('3')
  script.end()
  await reading
  t.deepEqual(
    seen.filter(line => line.startsWith('token')),
    ['token 1', 'token 2', 'token 3'],
  )
  t.is(live.reason, 'done')
})

test('an event as large as is allowed reaches readers, and one that is larger fails the run', async t => {
  const most = 2_048
  const site = await openSite(t, { hub: { maxEventBytes: most } })
  const ends = new Map<number, string | undefined>()
  for (const size of [most - 100, most - 80, most - 60, most - 40, most]) {
    const stream = await site.start(String(size))
    const script = await site.script(String(size))
    script.say('x'.repeat(size))
    script.end()
    const all = await whole(stream)
    ends.set(size, all.at(-1))
    t.is(all.length, all.at(-1) === 'done {"reason":"end"}' ? 2 : 1, 'what is not refused is read')
  }
  t.is(ends.get(most - 100), 'done {"reason":"end"}')
  t.is(ends.get(most), 'failed {"reason":"error"}')
})

test('a plain reader that is turned away gets a status, since 200 would be an empty answer', async t => {
  const site = await openSite(t)
  await site.start('a')
  await site.script('a')
  const draining = site.hub.drain({ within: 1_000 })
  const plain = await site.plain('a')
  t.is(plain.status, 503)
  t.deepEqual(told(plain.received), [])
  t.is((await site.follow('a')).status, 200)
  await draining
})
