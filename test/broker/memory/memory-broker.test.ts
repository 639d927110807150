import test from 'ava'
import { memoryBroker } from 'koa-event-stream'
import { parseCursor } from '../../../lib/wire/cursor.ts'
import { ManualClock } from '../../support/manual-clock.ts'

const BODY = Buffer.from('data: x\n\n')
const untyped = (value: unknown) => value as never

function seqOf(id: string): number {
  const cursor = parseCursor(id)
  return typeof cursor === 'object' ? cursor.seq : NaN
}

test('a wrong option is an error at start-up that names it', t => {
  const wrong: [string, unknown][] = [
    ['history.count', { history: { count: -1 } }],
    ['history.bytes', { history: { bytes: '1MB' } }],
    ['history.age', { history: { age: 0 } }],
    ['history.of', { history: { of: { count: 5 } } }],
    ['history.quietTopics', { history: { quietTopics: 1.5 } }],
    ['history', { history: { length: 5 } }],
    ['memoryBroker', { maxAge: 5 }],
  ]
  for (const [name, options] of wrong) {
    t.throws(() => memoryBroker(untyped(options)), { instanceOf: TypeError, message: new RegExp(`\`${name}\``) }, name)
  }
})

test('by default a topic remembers 1,000 events, for 5 minutes', async t => {
  const clock = new ManualClock()
  const broker = memoryBroker({ clock })
  for (let n = 0; n < 1_001; n += 1) await broker.publish(['a'], BODY)
  t.is(broker.read('a', 0, 5_000).events.length, 1_000)
  clock.advance(300_000)
  t.is(broker.read('a', 0, 5_000).events.length, 1_000)
  clock.advance(1)
  t.is(broker.read('a', 0, 5_000).events.length, 0)
})

test('of the quiet topics the longest quiet are forgotten, and then a gap is told rather than a loss hidden', async t => {
  const clock = new ManualClock()
  const broker = memoryBroker({ clock, history: { age: 1_000, quietTopics: 2 } })
  const start = broker.position().seq
  const last: number[] = []
  for (const topic of ['a', 'b', 'c', 'd']) {
    last.push(seqOf(await broker.publish([topic], BODY)))
    clock.advance(1)
  }
  clock.advance(1_000)
  await broker.publish(['e'], BODY)
  const [, b = 0, c = 0, d = 0] = last
  // `a` and `b` are forgotten: whoever has seen nothing since `b` may have missed something.
  for (const topic of ['a', 'b', 'never']) {
    t.true(broker.read(topic, b - 1, 10).trimmed, topic)
    t.false(broker.read(topic, b, 10).trimmed, topic)
  }
  t.true(broker.read('c', c - 1, 10).trimmed)
  t.false(broker.read('c', c, 10).trimmed)
  t.false(broker.read('d', d, 10).trimmed)
  t.true(broker.read('d', start, 10).trimmed)
  t.false(broker.read('e', d, 10).trimmed)
  const again = seqOf(await broker.publish(['a'], BODY))
  t.like(broker.read('a', b, 10), { events: [{ seq: again }], trimmed: false })
})

test('topics with ages of their own are found too old, whatever stands before them', async t => {
  const clock = new ManualClock()
  const ages: Record<string, number> = { long: 1_000_000, short: 1_000, shorter: 600 }
  const of = (topic: string) => ({ age: ages[topic] })
  const broker = memoryBroker({ clock, history: { of, quietTopics: 0 } })
  const before = broker.position().seq
  for (const topic of Object.keys(ages)) await broker.publish([topic], BODY)
  clock.advance(1_001)
  await broker.publish(['other'], BODY)
  t.is(broker.read('long', before, 10).events.length, 1)
  for (const topic of ['short', 'shorter', 'never']) t.true(broker.read(topic, before, 10).trimmed, topic)
})
