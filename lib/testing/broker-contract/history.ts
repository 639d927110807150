import assert from 'node:assert/strict'
import type { Contract } from './contract.ts'
import { at, body, idOf, like, loaded, publishMany } from './parts.ts'

/** The part of the contract of brokers about what is remembered: reading, limits, and what was lost. */
export function historyContract({ it, second }: Contract): void {
  it('history is read from any place, in pieces', async bench => {
    const { broker } = await bench.listening(['a', 'b'])
    const ids = await publishMany(broker, 'a', 6)
    await broker.publish(['b'], body('other'))
    await loaded(broker, 'a')
    for (let from = 0; from <= ids.length; from += 1) {
      const after = from === 0 ? 0 : at(ids[from - 1]).seq
      for (const limit of [1, 2, 6, 100]) {
        const slice = broker.read('a', after, limit)
        assert.deepEqual(slice.events.map(idOf), ids.slice(from, from + limit))
        assert.equal(slice.more, from + limit < ids.length)
        assert.ok(!slice.trimmed)
      }
    }
    assert.deepEqual(broker.read('a', at(ids[2]).seq - 1, 1).events.map(idOf), [ids[2]], 'from in between')
    like(broker.read('a', Number.MAX_SAFE_INTEGER, 10), { events: [], more: false, trimmed: false })
  })

  for (const [what, limits] of [
    ['count', { count: 3 }],
    ['bytes', { bytes: 200 }],
  ] as const) {
    it(`history is bounded by ${what}, and trimmed exactly where something is lost`, async bench => {
      const { broker } = await bench.listening(['a'], limits)
      // Frames of some 60 bytes each: three of them fit into 200.
      const ids = await publishMany(broker, 'a', 5, 60)
      await loaded(broker, 'a')
      for (const [after, events, trimmed] of [
        [0, ids.slice(2), true],
        [at(ids[0]).seq, ids.slice(2), true],
        [at(ids[1]).seq - 1, ids.slice(2), true],
        [at(ids[1]).seq, ids.slice(2), false],
        [at(ids[3]).seq, ids.slice(4), false],
      ] as const) {
        const slice = broker.read('a', after, 100)
        assert.deepEqual(slice.events.map(idOf), events)
        assert.equal(slice.trimmed, trimmed)
      }
    })
  }

  it('history is bounded by age, and a topic that fell silent is still known to have had events', async bench => {
    const { broker, recorder, log } = await bench.listening(['a', 'b'], { age: second })
    const [one, two] = await publishMany(broker, 'a', 2)
    await log.elapse(0.7 * second)
    const third = await broker.publish(['a'], body('x'))
    await recorder.until(third)
    await log.elapse(0.7 * second)
    await loaded(broker, 'a')
    assert.deepEqual(broker.read('a', at(two).seq, 10).events.map(idOf), [third])
    assert.ok(!broker.read('a', at(two).seq, 10).trimmed)
    assert.ok(broker.read('a', at(one).seq, 10).trimmed)
    await log.elapse(0.7 * second)
    await broker.publish(['b'], body('meanwhile'))
    await loaded(broker, 'a')
    like(broker.read('a', at(third).seq, 10), { events: [], more: false, trimmed: false })
    like(broker.read('a', at(two).seq, 10), { events: [], more: false, trimmed: true })
    const fourth = await broker.publish(['a'], body('again'))
    await recorder.until(fourth)
    assert.deepEqual(broker.read('a', at(third).seq, 10).events.map(idOf), [fourth])
    assert.ok(!broker.read('a', at(third).seq, 10).trimmed)
    assert.ok(broker.read('a', at(two).seq, 10).trimmed)
  })

  it('a topic that never had an event has lost none', async bench => {
    const { broker } = await bench.listening(['empty', 'a'])
    await publishMany(broker, 'a', 3)
    await loaded(broker, 'empty')
    like(broker.read('empty', 0, 10), { events: [], more: false, trimmed: false })
    like(broker.read('empty', broker.startOfLast('empty', 5), 10), { events: [], more: false, trimmed: false })
  })

  for (const [what, limits] of [
    ['count', { count: 4 }],
    ['bytes', { bytes: 260 }],
  ] as const) {
    it(`the last events begin where reading gives just them, and ${what} that took some of them is told`, async bench => {
      const { broker, log } = await bench.listening(['a', 'few'], { ...limits, age: second })
      const [ids, few] = [await publishMany(broker, 'a', 6, 60), await publishMany(broker, 'few', 3, 60)]
      await broker.load(['a', 'few'], 0)
      for (const count of [0, 1, 3, 4, 5, 1_000]) {
        const slice = broker.read('a', broker.startOfLast('a', count), 100)
        assert.deepEqual(slice.events.map(idOf), ids.slice(Math.max(2, 6 - count)))
        assert.equal(slice.trimmed, count > 4, String(count))
      }
      const all = broker.read('few', broker.startOfLast('few', 1_000), 100)
      assert.deepEqual([all.events.map(idOf), all.trimmed], [few, false], 'there never were more')
      await log.elapse(2 * second)
      await loaded(broker, 'a')
      const none = { events: [], more: false, trimmed: false }
      like(broker.read('a', broker.startOfLast('a', 1_000), 100), none, 'they would be too old by now')
    })
  }

  it('what age alone has taken of the last events is not missed', async bench => {
    const { broker, log } = await bench.listening(['a'], { age: second })
    await publishMany(broker, 'a', 3)
    await log.elapse(1.5 * second)
    const ids = await publishMany(broker, 'a', 2)
    await loaded(broker, 'a')
    const slice = broker.read('a', broker.startOfLast('a', 5), 100)
    assert.deepEqual([slice.events.map(idOf), slice.trimmed], [ids, false])
  })

  it('the newest event stays, whatever count and bytes say', async bench => {
    for (const limits of [{ count: 0 }, { bytes: 0 }, { bytes: 100 }]) {
      const { broker } = await bench.listening(['a'], limits)
      const ids = await publishMany(broker, 'a', 3, 1_000)
      const { events, trimmed } = (await loaded(broker, 'a')).read('a', at(ids[1]).seq, 10)
      assert.deepEqual([events.map(idOf), trimmed], [ids.slice(2), false])
      assert.ok(broker.read('a', at(ids[0]).seq, 10).trimmed)
    }
  })

  it('topics have limits of their own, and the common ones where they have none', async bench => {
    const of = (topic: string) => (topic === 'short' ? { count: 1 } : topic === 'brief' ? { age: second } : undefined)
    const { broker, log } = await bench.listening(['short', 'brief', 'other'], { count: 2, of })
    const short = await publishMany(broker, 'short', 3)
    const brief = await publishMany(broker, 'brief', 3)
    const other = await publishMany(broker, 'other', 3)
    await broker.load(['short', 'brief', 'other'], 0)
    const kept = (topic: string) => broker.read(topic, 0, 10).events.map(idOf)
    assert.deepEqual([kept('short'), kept('brief'), kept('other')], [short.slice(2), brief.slice(1), other.slice(1)])
    await log.elapse(1.5 * second)
    await broker.load(['short', 'brief', 'other'], 0)
    assert.deepEqual([kept('short'), kept('brief'), kept('other')], [short.slice(2), [], other.slice(1)])
  })

  it('whatever the function for limits does, the common ones go for the topic, and it is told', async bench => {
    const mischief: Record<string, () => unknown> = {
      throws: () => {
        throw new Error('no limits today')
      },
      rejects: () => Promise.reject(new Error('no limits today')),
      hangs: () => new Promise(() => undefined),
      number: () => 5,
      nothing: () => null,
      misspelt: () => ({ counts: 5 }),
      negative: () => ({ count: -1 }),
      text: () => ({ age: '1 h' }),
    }
    const topics = Object.keys(mischief)
    const of = (topic: string) => mischief[topic]?.() as undefined
    const { broker, recorder } = await bench.listening([], { count: 2, of })
    for (const topic of topics) {
      const told = recorder.faults.length
      const ids = await publishMany(broker, topic, 3)
      assert.ok(recorder.faults.length > told, topic)
      await broker.subscribe(topic)
      assert.deepEqual((await loaded(broker, topic)).read(topic, 0, 10).events.map(idOf), ids.slice(1), topic)
    }
  })
}
