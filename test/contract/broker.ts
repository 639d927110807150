import type { ExecutionContext, TestFn } from 'ava'
import type { Broker } from '../../lib/broker/broker.ts'
import { EventStreamError } from '../../lib/errors.ts'
import { parseCursor, type Position } from '../../lib/wire/cursor.ts'
import { encodeBody } from '../../lib/wire/frame.ts'
import { idOf, Recorder } from './recorder.ts'

/** History limits as engines take them. */
export interface Limits {
  readonly count?: number
  readonly bytes?: number
  readonly age?: number
  readonly of?: (topic: string) => Pick<Limits, 'count' | 'bytes' | 'age'> | undefined
}

/** A log of its own for one test. */
export interface Log {
  /** One instance on the log; another one each time where several processes can share a log. */
  connect(): Promise<Broker>
  /** Lets milliseconds go by for the log. */
  elapse(ms: number): Promise<void>
  /** Makes the log's clock say an earlier time. */
  stepBack(ms: number): Promise<void>
}

export interface Engine {
  readonly name: string
  /** Whether two instances can share a log. */
  readonly shared: boolean
  /**
   * Milliseconds that limits of a second are set to. More where time cannot be advanced, so that what is to happen within
   * a second does so on a busy machine.
   */
  readonly second: number
  open(t: ExecutionContext, limits?: Limits): Promise<Log>
}

/** What every engine promises, whatever is under it. Subscribing, loading and delivery may take their time. */
export function testBroker(test: TestFn, engine: Engine): void {
  const SECOND = engine.second
  const title = (what: string) => `${engine.name}: ${what}`

  test(title('an event is heard as its body behind the id that publish answers'), async t => {
    const { broker, recorder } = await listening(t, engine, ['news'])
    const start = broker.position()
    const id = await broker.publish(['news'], body('hello'))
    await recorder.until(id)
    const { topics, event } = only(recorder.heard)
    t.deepEqual(topics, ['news'])
    t.is(Buffer.from(event.frame).toString(), `id: ${id}\ndata: hello\n\n`)
    t.regex(id, /^[0-9A-Za-z._~-]{1,128}$/)
    t.deepEqual(parseCursor(id), { epoch: start.epoch, seq: event.seq })
    t.deepEqual(broker.position(), { epoch: start.epoch, seq: event.seq })
    t.true(event.seq > start.seq)
  })

  test(title('ids rise over all topics, also when the clock steps back'), async t => {
    const { broker, recorder, log } = await listening(t, engine, ['a', 'b'])
    const ids: string[] = []
    for (const step of [0, 0, 60_000, 0, 3_600_000, 0]) {
      if (step > 0) await log.stepBack(step)
      ids.push(await broker.publish(['a'], body('x')), await broker.publish(['b'], body('y')))
    }
    t.deepEqual(await recorder.until(ids.at(-1) ?? ''), ids)
    t.is(new Set(ids.map(id => at(id).epoch)).size, 1)
    t.true(isRising(ids.map(id => at(id).seq)))
    t.deepEqual((await loaded(broker, 'b')).read('b', at(ids[6]).seq, 10).events.map(idOf), [ids[7], ids[9], ids[11]])
  })

  test(title('events that are published at once get ids of their own, and are heard in their order'), async t => {
    const { broker, recorder } = await listening(t, engine, ['a', 'b'])
    const ids = await Promise.all(
      Array.from({ length: 50 }, (_, n) => broker.publish([n % 2 === 0 ? 'a' : 'b'], body(String(n)))),
    )
    const rising = ids.toSorted((a, b) => at(a).seq - at(b).seq)
    t.deepEqual(await recorder.until(rising.at(-1) ?? ''), rising)
    t.true(isRising(rising.map(id => at(id).seq)))
  })

  test(title('a new log is another epoch'), async t => {
    const [one, other] = [await listening(t, engine, ['a']), await listening(t, engine, ['a'])]
    t.not(one.broker.position().epoch, other.broker.position().epoch)
  })

  test(
    title('an event of several topics has one id, is heard once a topic, and stands in the history of each'),
    async t => {
      const { broker, recorder } = await listening(t, engine, ['a', 'b', 'c'])
      const id = await broker.publish(['a', 'b', 'deaf'], body('both'))
      const last = await broker.publish(['c'], body('last'))
      await recorder.until(last)
      const heard = recorder.heard.filter(({ event }) => idOf(event) === id)
      t.deepEqual(heard.flatMap(({ topics }) => topics).toSorted(), ['a', 'b'])
      await broker.load(['a', 'b', 'c'], 0)
      for (const topic of ['a', 'b']) t.deepEqual(broker.read(topic, 0, 10).events.map(idOf), [id])
      t.deepEqual(broker.read('c', 0, 10).events.map(idOf), [last])
    },
  )

  test(title('only what is subscribed to is heard'), async t => {
    const { broker, recorder } = await listening(t, engine, ['a', 'b'])
    await broker.publish(['other'], body('x'))
    const first = await broker.publish(['a'], body('x'))
    await recorder.until(first)
    broker.unsubscribe('a')
    await broker.publish(['a'], body('x'))
    const second = await broker.publish(['b'], body('x'))
    await recorder.until(second)
    await broker.subscribe('a')
    const third = await broker.publish(['a'], body('x'))
    t.deepEqual(await recorder.until(third), [first, second, third])
  })

  test(title('history is read from any place, in pieces'), async t => {
    const { broker } = await listening(t, engine, ['a', 'b'])
    const ids = await publishMany(broker, 'a', 6)
    await broker.publish(['b'], body('other'))
    await loaded(broker, 'a')
    for (let from = 0; from <= ids.length; from += 1) {
      const after = from === 0 ? 0 : at(ids[from - 1]).seq
      for (const limit of [1, 2, 6, 100]) {
        const slice = broker.read('a', after, limit)
        t.deepEqual(slice.events.map(idOf), ids.slice(from, from + limit))
        t.is(slice.more, from + limit < ids.length)
        t.false(slice.trimmed)
      }
    }
    t.deepEqual(broker.read('a', at(ids[2]).seq - 1, 1).events.map(idOf), [ids[2]], 'from in between')
    t.like(broker.read('a', Number.MAX_SAFE_INTEGER, 10), { events: [], more: false, trimmed: false })
  })

  for (const [what, limits] of [
    ['count', { count: 3 }],
    ['bytes', { bytes: 200 }],
  ] as const) {
    test(title(`history is bounded by ${what}, and trimmed exactly where something is lost`), async t => {
      const { broker } = await listening(t, engine, ['a'], limits)
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
        t.deepEqual(slice.events.map(idOf), events)
        t.is(slice.trimmed, trimmed)
      }
    })
  }

  test(title('history is bounded by age, and a topic that fell silent is still known to have had events'), async t => {
    const { broker, recorder, log } = await listening(t, engine, ['a', 'b'], { age: SECOND })
    const [first, second] = await publishMany(broker, 'a', 2)
    await log.elapse(0.7 * SECOND)
    const third = await broker.publish(['a'], body('x'))
    await recorder.until(third)
    await log.elapse(0.7 * SECOND)
    await loaded(broker, 'a')
    t.deepEqual(broker.read('a', at(second).seq, 10).events.map(idOf), [third])
    t.false(broker.read('a', at(second).seq, 10).trimmed)
    t.true(broker.read('a', at(first).seq, 10).trimmed)
    await log.elapse(0.7 * SECOND)
    await broker.publish(['b'], body('meanwhile'))
    await loaded(broker, 'a')
    t.like(broker.read('a', at(third).seq, 10), { events: [], more: false, trimmed: false })
    t.like(broker.read('a', at(second).seq, 10), { events: [], more: false, trimmed: true })
    const fourth = await broker.publish(['a'], body('again'))
    await recorder.until(fourth)
    t.deepEqual(broker.read('a', at(third).seq, 10).events.map(idOf), [fourth])
    t.false(broker.read('a', at(third).seq, 10).trimmed)
    t.true(broker.read('a', at(second).seq, 10).trimmed)
  })

  test(title('a topic that never had an event has lost none'), async t => {
    const { broker } = await listening(t, engine, ['empty', 'a'])
    await publishMany(broker, 'a', 3)
    await loaded(broker, 'empty')
    t.like(broker.read('empty', 0, 10), { events: [], more: false, trimmed: false })
    t.like(broker.read('empty', broker.startOfLast('empty', 5), 10), { events: [], more: false, trimmed: false })
  })

  for (const [what, limits] of [
    ['count', { count: 4 }],
    ['bytes', { bytes: 260 }],
  ] as const) {
    test(
      title(`the last events begin where reading gives just them, and ${what} that took some of them is told`),
      async t => {
        const { broker, log } = await listening(t, engine, ['a', 'few'], { ...limits, age: SECOND })
        const [ids, few] = [await publishMany(broker, 'a', 6, 60), await publishMany(broker, 'few', 3, 60)]
        await broker.load(['a', 'few'], 0)
        for (const count of [0, 1, 3, 4, 5, 1_000]) {
          const slice = broker.read('a', broker.startOfLast('a', count), 100)
          t.deepEqual(slice.events.map(idOf), ids.slice(Math.max(2, 6 - count)))
          t.is(slice.trimmed, count > 4, String(count))
        }
        const all = broker.read('few', broker.startOfLast('few', 1_000), 100)
        t.deepEqual([all.events.map(idOf), all.trimmed], [few, false], 'there never were more')
        await log.elapse(2 * SECOND)
        await loaded(broker, 'a')
        const none = { events: [], more: false, trimmed: false }
        t.like(broker.read('a', broker.startOfLast('a', 1_000), 100), none, 'they would be too old by now')
      },
    )
  }

  test(title('what age alone has taken of the last events is not missed'), async t => {
    const { broker, log } = await listening(t, engine, ['a'], { age: SECOND })
    await publishMany(broker, 'a', 3)
    await log.elapse(1.5 * SECOND)
    const ids = await publishMany(broker, 'a', 2)
    await loaded(broker, 'a')
    const slice = broker.read('a', broker.startOfLast('a', 5), 100)
    t.deepEqual([slice.events.map(idOf), slice.trimmed], [ids, false])
  })

  test(title('the newest event stays, whatever count and bytes say'), async t => {
    for (const limits of [{ count: 0 }, { bytes: 0 }, { bytes: 100 }]) {
      const { broker } = await listening(t, engine, ['a'], limits)
      const ids = await publishMany(broker, 'a', 3, 1_000)
      const { events, trimmed } = (await loaded(broker, 'a')).read('a', at(ids[1]).seq, 10)
      t.deepEqual([events.map(idOf), trimmed], [ids.slice(2), false])
      t.true(broker.read('a', at(ids[0]).seq, 10).trimmed)
    }
  })

  test(title('topics have limits of their own, and the common ones where they have none'), async t => {
    const of = (topic: string) => (topic === 'short' ? { count: 1 } : topic === 'brief' ? { age: SECOND } : undefined)
    const { broker, log } = await listening(t, engine, ['short', 'brief', 'other'], { count: 2, of })
    const short = await publishMany(broker, 'short', 3)
    const brief = await publishMany(broker, 'brief', 3)
    const other = await publishMany(broker, 'other', 3)
    await broker.load(['short', 'brief', 'other'], 0)
    const kept = (topic: string) => broker.read(topic, 0, 10).events.map(idOf)
    t.deepEqual([kept('short'), kept('brief'), kept('other')], [short.slice(2), brief.slice(1), other.slice(1)])
    await log.elapse(1.5 * SECOND)
    await broker.load(['short', 'brief', 'other'], 0)
    t.deepEqual([kept('short'), kept('brief'), kept('other')], [short.slice(2), [], other.slice(1)])
  })

  test(title('whatever the function for limits does, the common ones go for the topic, and it is told'), async t => {
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
    const { broker, recorder } = await listening(t, engine, [], { count: 2, of })
    for (const topic of topics) {
      const told = recorder.faults.length
      const ids = await publishMany(broker, topic, 3)
      t.true(recorder.faults.length > told, topic)
      await broker.subscribe(topic)
      t.deepEqual((await loaded(broker, topic)).read(topic, 0, 10).events.map(idOf), ids.slice(1), topic)
    }
  })

  test(title('a key that is repeated answers the id of the first event, and publishes nothing'), async t => {
    const { broker, recorder } = await listening(t, engine, ['a', 'b'])
    const key = 'order 7: “paid” \u{1F4B6}'
    const atOnce = await Promise.all([
      broker.publish(['a'], body('first'), { key }),
      broker.publish(['a'], body('second'), { key }),
      broker.publish(['b'], body('other'), { key: 'other' }),
    ])
    const again = await broker.publish(['b'], body('of another topic'), { key })
    const last = await broker.publish(['a'], body('without'))
    const [first, second, other] = atOnce
    t.deepEqual([second, again], [first, first])
    t.deepEqual(await recorder.until(last), [first, other, last])
    await broker.load(['a', 'b'], 0)
    t.deepEqual(broker.read('a', 0, 10).events.map(idOf), [first, last])
    t.deepEqual(broker.read('b', 0, 10).events.map(idOf), [other])
  })

  test(
    title('a key is remembered for as long as the history of the topics it was used with, and no longer'),
    async t => {
      const of = (topic: string) => (topic === 'long' ? { age: 10 * SECOND } : undefined)
      const { broker, log } = await listening(t, engine, [], { age: SECOND, of })
      const first = await broker.publish(['short'], body('1'), { key: 'short' })
      const both = await broker.publish(['short', 'long'], body('2'), { key: 'both' })
      t.is(await broker.publish(['short'], body('3'), { key: 'short' }), first)
      await log.elapse(1.5 * SECOND)
      t.not(await broker.publish(['short'], body('4'), { key: 'short' }), first)
      t.is(await broker.publish(['short'], body('5'), { key: 'both' }), both)
    },
  )

  test(title('headers are kept with an event, live and in history, whatever their names'), async t => {
    const { broker, recorder } = await listening(t, engine, ['a'])
    const headers = { traceparent: `00-${'4b'.repeat(16)}-00f067aa0ba902b7-01`, 'of a later version': 'a=1&b= \n"2"' }
    const id = await broker.publish(['a'], body('with'), { headers, key: 'k' })
    const last = await broker.publish(['a'], body('without'))
    await recorder.until(last)
    t.deepEqual(
      recorder.heard.map(({ event }) => event.headers),
      [headers, undefined],
    )
    const { events } = (await loaded(broker, 'a')).read('a', 0, 10)
    t.deepEqual(events.map(idOf), [id, last])
    t.deepEqual(
      events.map(event => event.headers),
      [headers, undefined],
    )
  })

  test(title('history from before a subscription is in reach once it is loaded'), async t => {
    const log = await engine.open(t)
    const broker = await log.connect()
    broker.listen(new Recorder())
    const ids = await publishMany(broker, 'a', 3)
    await broker.subscribe('a')
    await loaded(broker, 'a')
    t.deepEqual(broker.read('a', 0, 10).events.map(idOf), ids)
    t.true(broker.position().seq >= at(ids[2]).seq)
  })

  test(title('a message is heard by who announces it, whatever the topics'), async t => {
    const { broker, recorder } = await listening(t, engine, [])
    if (!broker.ready) await recorder.untilReady()
    await broker.announce({ type: 'disconnect', session: 's:1', reason: 'logout' })
    t.deepEqual(await recorder.untilMessages(1), [{ type: 'disconnect', session: 's:1', reason: 'logout' }])
  })

  test(title('small values are kept until their end, and taken once'), async t => {
    const { broker, log } = await listening(t, engine, [])
    const { store } = broker
    t.is(await store.get('k'), undefined)
    await store.set('k', 'one', SECOND)
    await store.set('k', 'two', SECOND)
    t.is(await store.get('k'), 'two')
    const taken = await Promise.all([store.take('k'), store.take('k'), store.take('k')])
    t.deepEqual(
      taken.filter(value => value !== undefined),
      ['two'],
    )
    t.is(await store.get('k'), undefined)
    await store.set('k', 'three', SECOND / 2)
    await store.set('gone', 'x', 0)
    await log.elapse(SECOND)
    for (const key of ['k', 'gone']) t.is(await store.get(key), undefined)
    for (const key of ['k', 'gone']) t.is(await store.take(key), undefined)
  })

  test(title('of any number of holders that ask at once, so many get a place as there are, and keep it'), async t => {
    const { broker } = await listening(t, engine, [])
    const { leases } = broker
    const ask = (holder: string) => leases.lease({ key: 'k', holder }, 60_000, 3)
    const holders = Array.from({ length: 20 }, (_, n) => `h${n}`)
    const answers = await Promise.all(holders.map(ask))
    const lucky = holders.filter((_, n) => answers[n])
    t.is(lucky.length, 3)
    t.deepEqual(await Promise.all(lucky.map(ask)), [true, true, true])
    t.true(await leases.lease({ key: 'other', holder: 'h0' }, 60_000, 3))
    await leases.release([
      { key: 'k', holder: lucky[0] ?? '' },
      { key: 'k', holder: 'nobody' },
    ])
    t.is(await leases.taken('k'), 2)
    t.deepEqual([await ask('late'), await ask('later')], [true, false])
    t.deepEqual([await leases.taken('k'), await leases.taken('unknown')], [3, 0])
    await leases.release([])
  })

  test(title('places end by themselves, unless they are renewed, over what there are if need be'), async t => {
    const { broker, log } = await listening(t, engine, [])
    const { leases } = broker
    const ask = (holder: string, ttl: number) => leases.lease({ key: 'k', holder }, ttl, 2)
    t.deepEqual([await ask('a', SECOND), await ask('b', SECOND)], [true, true])
    await leases.renew([{ key: 'k', holder: 'a' }], 60_000)
    t.deepEqual([await ask('b', SECOND), await ask('c', SECOND)], [true, false])
    await log.elapse(1.5 * SECOND)
    t.is(await leases.taken('k'), 1)
    t.deepEqual([await ask('c', 60_000), await ask('d', 60_000)], [true, false])
    await leases.renew(
      ['b', 'd'].map(holder => ({ key: 'k', holder })),
      60_000,
    )
    await leases.release([{ key: 'k', holder: 'a' }])
    t.deepEqual([await ask('e', 60_000), await ask('d', 60_000)], [false, true])
  })

  test(title('where the oldest give way, one more always gets a place, and it is told whose that was'), async t => {
    const { broker } = await listening(t, engine, [])
    const { leases } = broker
    const come = (holder: string) => leases.supersede({ key: 'k', holder }, 60_000, 2)
    const [a, b] = [await come('a'), await come('b')]
    t.deepEqual([a.superseded, b.superseded], [[], []])
    // Neither is younger for being renewed.
    await leases.renew([b.lease, a.lease], 60_000)
    const c = await come('c')
    t.deepEqual(c.superseded, ['a'])
    t.deepEqual((await come('d')).superseded, ['b'])
    t.false(await leases.lease({ key: 'k', holder: 'late' }, 60_000, 2))
    await leases.release([c.lease])
    t.deepEqual((await come('e')).superseded, [])
    t.deepEqual((await leases.supersede({ key: 'k', holder: 'f' }, 60_000, 1)).superseded, ['d', 'e'])
    t.deepEqual((await leases.supersede({ key: 'other', holder: 'a' }, 60_000, 1)).superseded, [])
  })

  test(title('of any number that come at once, the oldest of them give way one by one'), async t => {
    const { broker } = await listening(t, engine, [])
    const holders = Array.from({ length: 20 }, (_, n) => `h${n}`)
    const come = (holder: string) => broker.leases.supersede({ key: 'k', holder }, 60_000, 3)
    const answers = await Promise.all(holders.map(come))
    t.deepEqual(
      answers.flatMap(({ superseded }) => superseded),
      holders.slice(0, 17),
    )
  })

  test(title('places that end by themselves are nobody’s loss, and those that were leased count as older'), async t => {
    const { broker, log } = await listening(t, engine, [])
    const { leases } = broker
    await leases.supersede({ key: 'k', holder: 'brief' }, SECOND, 2)
    await leases.lease({ key: 'k', holder: 'leased' }, 60_000, 2)
    await log.elapse(1.5 * SECOND)
    t.deepEqual((await leases.supersede({ key: 'k', holder: 'a' }, 60_000, 2)).superseded, [])
    t.deepEqual((await leases.supersede({ key: 'k', holder: 'b' }, 60_000, 2)).superseded, ['leased'])
  })

  test(title('thousands of places are renewed and given back at once'), async t => {
    const { broker } = await listening(t, engine, [])
    const { leases } = broker
    const all = Array.from({ length: 3_001 }, (_, n) => ({ key: `k${n}`, holder: 'h' }))
    await leases.renew(all, 60_000)
    const last = { key: 'k3000', holder: 'another' }
    t.false(await leases.lease(last, 60_000, 1))
    await leases.release(all)
    t.true(await leases.lease(last, 60_000, 1))
  })

  test(
    title('an instance lives for as long as it says so, and is told when others may have taken it for dead'),
    async t => {
      const { broker, log } = await listening(t, engine, [])
      const { roster } = broker
      t.deepEqual(await roster.instances(), [])
      t.is(await roster.beat('brief', SECOND), undefined)
      t.is(await roster.beat('long', 60_000), undefined)
      t.is(await roster.beat('long', 60_000), 0)
      t.deepEqual((await roster.instances()).toSorted(), ['brief', 'long'])
      await log.elapse(1.5 * SECOND)
      t.deepEqual(await roster.instances(), ['long'])
      t.deepEqual((await roster.chores(60_000)).dead, ['brief'])
      t.is(await roster.beat('brief', 60_000), undefined)
      t.deepEqual((await roster.chores(60_000)).dead, [])
      await roster.retire('long')
      await roster.retire('unknown')
      t.deepEqual(await roster.instances(), ['brief'])
      t.is(await roster.beat('long', 60_000), undefined)
    },
  )

  test(
    title('whoever is present at a topic counts once, whatever instances have him, until the last one lets him go'),
    async t => {
      const { broker } = await listening(t, engine, [])
      const { roster } = broker
      const come = (topic: string, id: string, info = 'true') => ({ topic, id, info })
      const go = (topic: string, id: string) => ({ topic, id, info: undefined })
      t.deepEqual(await roster.present('r', 10), { version: '', count: 0, members: [] })
      const changes = [come('r', 'ada'), come('r', 'bob', '{"a":"1 ,\\n 2"}'), come('s', 'a,b c')]
      t.deepEqual((await roster.change('one', 1, changes)).toSorted(), ['r', 's'])
      t.deepEqual(await roster.change('other', 1, [come('r', 'ada')]), [])
      const { version, ...present } = await roster.present('r', 10)
      const bob = { id: 'bob', info: '{"a":"1 ,\\n 2"}' }
      t.deepEqual(present, { count: 2, members: [{ id: 'ada', info: 'true' }, bob] })
      t.deepEqual((await roster.present('s', 10)).members, [{ id: 'a,b c', info: 'true' }])
      t.deepEqual(await roster.change('one', 2, [come('r', 'bob', '2'), come('r', 'ada')]), ['r'])
      t.deepEqual((await roster.present('r', 10)).members.at(-1), { id: 'bob', info: '2' })
      t.not((await roster.present('r', 10)).version, version)
      t.deepEqual(await roster.change('one', 3, [go('r', 'ada'), go('r', 'nobody'), go('nowhere', 'ada')]), [])
      t.is((await roster.present('r', 0)).count, 2)
      t.deepEqual(await roster.entries('other'), [{ topic: 'r', id: 'ada' }])
      t.deepEqual(await roster.change('other', 2, [go('r', 'ada')]), ['r'])
      t.deepEqual(await roster.change('one', 4, [go('r', 'bob')]), ['r'])
      t.deepEqual(await roster.present('r', 10), { version: '', count: 0, members: [] })
      t.deepEqual(await roster.entries('one'), [{ topic: 's', id: 'a,b c' }])
    },
  )

  test(title('a change that comes behind a later one of its instance changes nothing'), async t => {
    const { broker } = await listening(t, engine, [])
    const { roster } = broker
    await roster.beat('one', 60_000)
    await roster.change('one', 5, [{ topic: 'r', id: 'ada', info: 'true' }])
    for (const number of [4, 5]) {
      t.deepEqual(await roster.change('one', number, [{ topic: 'r', id: 'ada', info: undefined }]), [])
    }
    t.is((await roster.present('r', 0)).count, 1)
    t.is(await roster.beat('one', 60_000), 5)
  })

  test(title('what a dead instance had is taken away, by whoever notices, unless it lives again'), async t => {
    const { broker, log } = await listening(t, engine, [])
    const { roster } = broker
    const ids = Array.from({ length: 1_200 }, (_, n) => `u${String(n).padStart(4, '0')}`)
    for (let from = 0; from < ids.length; from += 400) {
      const some = ids.slice(from, from + 400).map(id => ({ topic: 'r', id, info: 'true' }))
      await roster.change('dies', 1 + from, some)
    }
    await roster.change('wakes', 1, [{ topic: 'r', id: 'u0007', info: 'true' }])
    t.is((await roster.present('r', 3)).members.length, 3)
    await roster.beat('dies', SECOND)
    await roster.beat('wakes', SECOND)
    t.deepEqual(await roster.bury('dies'), [], 'it lives')
    await log.elapse(1.5 * SECOND)
    t.deepEqual((await roster.chores(60_000)).dead.toSorted(), ['dies', 'wakes'])
    await roster.beat('wakes', 60_000)
    t.deepEqual(await roster.bury('wakes'), [])
    t.is((await roster.present('r', 0)).count, 1_200)
    const buried = await Promise.all([roster.bury('dies'), roster.bury('dies')])
    t.deepEqual([...new Set(buried.flat())], ['r'])
    t.deepEqual((await roster.present('r', 10)).members, [{ id: 'u0007', info: 'true' }])
    t.deepEqual((await roster.chores(60_000)).dead, [])
    t.deepEqual([await roster.entries('dies'), await roster.beat('dies', 60_000)], [[], undefined])
  })

  test(
    title('one that retires and still has somebody, or never said that it lives, is buried as a dead one'),
    async t => {
      const { broker } = await listening(t, engine, [])
      const { roster } = broker
      await roster.beat('one', 60_000)
      await roster.change('one', 1, [{ topic: 'r', id: 'ada', info: 'true' }])
      await roster.change('silent', 1, [{ topic: 'r', id: 'bob', info: 'true' }])
      await roster.retire('one')
      t.deepEqual(await roster.instances(), [])
      t.deepEqual((await roster.chores(60_000)).dead.toSorted(), ['one', 'silent'])
      for (const dead of ['one', 'silent']) t.deepEqual(await roster.bury(dead), ['r'])
      t.is((await roster.present('r', 0)).count, 0)
    },
  )

  test(title('a topic is untold from its first change until its present version has been told'), async t => {
    const { broker, log } = await listening(t, engine, [])
    const { roster } = broker
    await roster.change('one', 1, [{ topic: 'r', id: 'ada', info: 'true' }])
    const { version } = await roster.present('r', 0)
    await roster.change('one', 2, [{ topic: 'r', id: 'bob', info: 'true' }])
    t.false(await roster.told('r', version))
    t.deepEqual((await roster.chores(60_000)).untold, [])
    await log.elapse(1.5 * SECOND)
    t.deepEqual((await roster.chores(SECOND)).untold, ['r'])
    t.deepEqual((await roster.chores(SECOND)).untold, [], 'somebody sees to it')
    await log.elapse(1.5 * SECOND)
    t.deepEqual((await roster.chores(SECOND)).untold, ['r'])
    t.true(await roster.told('r', (await roster.present('r', 0)).version))
    await roster.change(
      'one',
      3,
      ['ada', 'bob'].map(id => ({ topic: 'r', id, info: undefined })),
    )
    t.false(await roster.told('r', version))
    t.true(await roster.told('r', (await roster.present('r', 0)).version))
    await log.elapse(1.5 * SECOND)
    t.deepEqual((await roster.chores(0)).untold, [])
  })

  test(title('a closed engine says nothing more, and takes nothing'), async t => {
    const { broker, recorder } = await listening(t, engine, ['a'])
    await broker.close()
    await t.throwsAsync(broker.publish(['a'], body('x')), { instanceOf: EventStreamError, code: 'ERR_BROKER' })
    t.deepEqual(recorder.heard, [])
  })

  if (!engine.shared) return

  test(title('an instance that was not there knows what count has taken of the last events'), async t => {
    const log = await engine.open(t, { count: 4 })
    const [one, other] = [await log.connect(), await log.connect()]
    for (const broker of [one, other]) broker.listen(new Recorder())
    const ids = await publishMany(one, 'a', 6)
    await publishMany(one, 'few', 3)
    for (const topic of ['a', 'few']) await other.subscribe(topic)
    await other.load(['a', 'few'], 0)
    const slice = other.read('a', other.startOfLast('a', 5_000), 100)
    t.deepEqual([slice.events.map(idOf), slice.trimmed], [ids.slice(2), true])
    t.false(other.read('a', other.startOfLast('a', 4), 100).trimmed)
    t.false(other.read('few', other.startOfLast('few', 5_000), 100).trimmed)
  })

  test(title('what one instance publishes and announces, another hears and reads'), async t => {
    const log = await engine.open(t)
    const [one, other] = [await log.connect(), await log.connect()]
    const recorder = new Recorder()
    other.listen(recorder)
    one.listen(new Recorder())
    await other.subscribe('a')
    const ids = await publishMany(one, 'a', 3)
    t.deepEqual(await recorder.until(ids[2] ?? ''), ids)
    t.deepEqual((await loaded(other, 'a')).read('a', 0, 10).events.map(idOf), ids)
    await one.announce({ type: 'disconnect', identity: 'ada', reason: 'server' })
    t.like(await recorder.untilMessages(1), [{ identity: 'ada' }])
    await one.store.set('k', 'v', 60_000)
    const taken = await Promise.all([one.store.take('k'), other.store.take('k')])
    t.is(taken.filter(value => value === 'v').length, 1)
    const kept = await one.publish(['a'], body('x'), { key: 'k', headers: { trace: '1' } })
    t.is(await other.publish(['a'], body('y'), { key: 'k' }), kept)
    const latest = (await loaded(other, 'a')).read('a', at(ids[2]).seq, 10).events
    t.deepEqual(
      latest.map(event => [idOf(event), event.headers]),
      [[kept, { trace: '1' }]],
    )
    await one.roster.beat('one', 60_000)
    t.deepEqual(await other.roster.instances(), ['one'])
    const places = [one, other].map(({ leases }, n) => leases.lease({ key: 'k', holder: String(n) }, 60_000, 1))
    t.deepEqual((await Promise.all(places)).toSorted(), [false, true])
  })
}

/** An instance of a new log that listens to topics. */
async function listening(t: ExecutionContext, engine: Engine, topics: readonly string[], limits?: Limits) {
  const log = await engine.open(t, limits)
  const broker = await log.connect()
  const recorder = new Recorder()
  broker.listen(recorder)
  for (const topic of topics) await broker.subscribe(topic)
  return { log, broker, recorder }
}

async function loaded(broker: Broker, topic: string): Promise<Broker> {
  await broker.load([topic], 0)
  return broker
}

async function publishMany(broker: Broker, topic: string, count: number, size = 0): Promise<string[]> {
  const ids: string[] = []
  for (let n = 0; n < count; n += 1) ids.push(await broker.publish([topic], body(String(n), size)))
  return ids
}

/** The lines of an event, padded so that its frame has about `size` bytes. */
function body(text: string, size = 0): Buffer {
  const frame = encodeBody({ event: undefined, data: text, id: undefined })
  const idLine = 34
  return encodeBody({
    event: undefined,
    data: text.padEnd(text.length + size - frame.length - idLine, '.'),
    id: undefined,
  })
}

function at(id: string | undefined): Position {
  const cursor = parseCursor(id)
  if (typeof cursor !== 'object') throw new Error(`${String(id)} is no id of a log`)
  return cursor
}

function only<T>(items: readonly T[]): T {
  const [item] = items
  if (item === undefined || items.length > 1) throw new Error(`${items.length} items instead of one`)
  return item
}

function isRising(numbers: readonly number[]): boolean {
  return numbers.every((number, index) => index === 0 || number > (numbers[index - 1] ?? Infinity))
}
