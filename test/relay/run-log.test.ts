import test from 'ava'
import fc from 'fast-check'
import { isEnd, type BareEvent, type End, type Entry } from '../../lib/relay/batch.ts'
import { RunLog, type Compactor } from '../../lib/relay/run-log.ts'

const DONE: End = { kind: 'done', reason: 'end' }

const join: Compactor = events => [null, events.map(([, data]) => data).join('')]

test('events are numbered in their order, and those that come again change nothing', t => {
  const log = filled(1_000, undefined, [batch(1, 'a', 'b'), batch(2, 'b', 'c'), batch(1, 'a'), batch(4, 'd')])
  t.deepEqual(numbered(log), ['1 a', '2 b', '3 c', '4 d'])
  t.deepEqual(numbered(log, 2), ['3 c', '4 d'])
  t.deepEqual(numbered(log, 4), [])
})

test('the first end is the only one, and nothing comes after it', t => {
  const log = filled(1_000, undefined, [batch(1, 'a'), DONE, { kind: 'failed', reason: 'error' }, batch(2, 'b')])
  t.deepEqual(numbered(log), ['1 a', '2 {"reason":"end"}'])
  t.deepEqual(log.end, DONE)
  t.deepEqual(numbered(log, 2), [])
})

test('one event stands for all before, for those who have nothing of it', t => {
  const log = filled(1_000, join, [batch(1, 'a', 'b')])
  t.deepEqual(numbered(log), ['2 ab'])
  log.append(batch(3, 'c'))
  t.deepEqual(numbered(log, 1), ['2 b', '3 c'])
  t.deepEqual(numbered(log), ['3 abc'])
  log.append(DONE)
  t.deepEqual(numbered(log), ['3 abc', '4 {"reason":"end"}'])
})

test('what is over the limit is forgotten, and whoever comes from there is told', t => {
  const log = filled(10, undefined, [batch(1, 'aaaa', 'bbbb', 'cccc')])
  t.deepEqual(log.whole(), { isTorn: true, events: [{ number: 3, event: [null, 'cccc'] }] })
  t.true(log.after(1).isTorn)
  t.false(log.after(2).isTorn)
  const compact = filled(10, join, [batch(1, 'aaaa', 'bbbb', 'cccc')])
  t.deepEqual(compact.whole(), { isTorn: false, events: [{ number: 3, event: [null, 'aaaabbbbcccc'] }] })
  t.true(compact.after(1).isTorn)
  t.deepEqual(numbered(compact, 1), ['3 aaaabbbbcccc'])
})

test('events without a word have an end, too', t => {
  const log = new RunLog(1_000)
  for (let first = 1; first <= 1_000; first += 1) log.append(batch(first, ''))
  t.true(JSON.stringify(log.state()).length < 1_200)
})

test('a hole is told, and nothing before it is shown as if it were whole', t => {
  const log = filled(1_000, join, [batch(1, 'a')])
  t.true(log.isBeyond(batch(3, 'c')))
  log.append(batch(3, 'c'))
  t.true(log.after(1).isTorn)
  t.true(log.whole().isTorn)
  t.deepEqual(numbered(log), ['3 c'])
})

test('who has more than a log that has lost some of it is told so once the run has ended', t => {
  const log = filled(1_000, undefined, [batch(1, 'a', 'b')])
  t.deepEqual(log.after(5), { isTorn: false, events: [] })
  log.append(DONE)
  t.deepEqual(log.after(3), { isTorn: false, events: [] })
  t.true(log.after(5).isTorn)
  t.deepEqual(numbered(log, 5), ['1 a', '2 b', '3 {"reason":"end"}'])
})

test('an end behind events that are missing tells of them: what is left is not taken for the whole', t => {
  const log = filled(1_000, join, [batch(1, 'a')])
  t.false(log.isBeyond({ ...DONE, last: 1 }))
  t.true(log.isBeyond({ ...DONE, last: 3 }))
  log.append({ ...DONE, last: 3 })
  t.deepEqual(log.end, DONE)
  t.true(log.whole().isTorn)
  t.true(log.after(1).isTorn)
  t.deepEqual(numbered(log), ['4 {"reason":"end"}'])
  t.deepEqual(numbered(log, 3), ['4 {"reason":"end"}'])
})

test('a compactor that fails leaves the events as they are', t => {
  const log = filled(1_000, () => undefined, [batch(1, 'a', 'b')])
  t.deepEqual(numbered(log), ['1 a', '2 b'])
})

test('whatever instances hear, and when they begin, all tell readers the same', t => {
  const script = fc.record({
    lengths: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 12 }),
    kept: fc.nat(12),
    repeats: fc.array(fc.nat(12), { maxLength: 6 }),
    isCompact: fc.boolean(),
    hasEnd: fc.boolean(),
    from: fc.nat(60),
  })
  fc.assert(
    fc.property(script, ({ lengths, kept, repeats, isCompact, hasEnd, from }) => {
      const entries: Entry[] = []
      let number = 0
      for (const length of lengths) {
        const texts = Array.from({ length }, (_, index) => `<${String(number + index + 1)}>`)
        entries.push(batch(number + 1, ...texts))
        number += length
      }
      if (hasEnd) entries.push(DONE)
      const compact = isCompact ? join : undefined
      const producer = filled(1_000_000, compact, [])
      const states = [producer.state()]
      for (const entry of entries) {
        producer.append(entry)
        states.push(structuredClone(producer.state()))
      }
      const late = filled(1_000_000, compact, [])
      const state = states[kept % states.length]
      if (state !== undefined) late.adopt(structuredClone(state))
      const heard = [...repeats.flatMap(index => entries[index % entries.length] ?? []), ...entries]
      for (const entry of heard) if (!isEnd(entry) && !late.isBeyond(entry)) late.append(entry)
      if (hasEnd) late.append(DONE)
      t.deepEqual(late.end, producer.end)
      t.is(late.last, producer.last)
      // What a reader has in the end is the same text, whether it comes at once or in pieces, early or late.
      const text = (log: RunLog) =>
        log
          .after(0)
          .events.map(({ event: [, data] }) => data)
          .join('')
      t.is(text(late), text(producer))
      const place = from % (number + 1)
      const rest = late.after(place)
      if (!rest.isTorn) t.deepEqual(rest, producer.after(place))
    }),
    { numRuns: 500 },
  )
})

function batch(first: number, ...texts: string[]): Entry {
  return { first, events: texts.map((data): BareEvent => [null, data]) }
}

function filled(most: number, compact: Compactor | undefined, entries: readonly Entry[]): RunLog {
  const log = new RunLog(most, compact)
  for (const entry of entries) log.append(entry)
  return log
}

function numbered(log: RunLog, after?: number): string[] {
  const { events } = after === undefined ? log.whole() : log.after(after)
  return events.map(({ number, event: [, data] }) => `${String(number)} ${data}`)
}
