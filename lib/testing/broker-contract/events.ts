import assert from 'node:assert/strict'
import type { Contract } from './contract.ts'
import { at, body, idOf, isRising, loaded, only, publishMany } from './parts.ts'
import { Recorder } from './recorder.ts'

/** The part of the contract of brokers about what is published: ids, order, topics, keys and headers. */
export function eventsContract({ it, second }: Contract): void {
  it('an event is heard as its body behind the id that publish answers', async bench => {
    const { broker, recorder } = await bench.listening(['news'])
    const start = broker.position()
    const id = await broker.publish(['news'], body('hello'))
    await recorder.until(id)
    const { topics, event } = only(recorder.heard)
    assert.deepEqual(topics, ['news'])
    assert.equal(Buffer.from(event.frame).toString(), `id: ${id}\ndata: hello\n\n`)
    assert.match(id, /^[0-9A-Za-z._~-]{1,128}$/)
    assert.deepEqual(at(id), { epoch: start.epoch, seq: event.seq })
    assert.deepEqual(broker.position(), { epoch: start.epoch, seq: event.seq })
    assert.ok(event.seq > start.seq)
  })

  it('ids rise over all topics, also when the clock steps back', async bench => {
    const { broker, recorder, log } = await bench.listening(['a', 'b'])
    const ids: string[] = []
    for (const step of [0, 0, 60_000, 0, 3_600_000, 0]) {
      if (step > 0) await log.stepBack(step)
      ids.push(await broker.publish(['a'], body('x')), await broker.publish(['b'], body('y')))
    }
    assert.deepEqual(await recorder.until(ids.at(-1) ?? ''), ids)
    assert.equal(new Set(ids.map(id => at(id).epoch)).size, 1)
    assert.ok(isRising(ids.map(id => at(id).seq)))
    assert.deepEqual((await loaded(broker, 'b')).read('b', at(ids[6]).seq, 10).events.map(idOf), [
      ids[7],
      ids[9],
      ids[11],
    ])
  })

  it('events that are published at once get ids of their own, and are heard in their order', async bench => {
    const { broker, recorder } = await bench.listening(['a', 'b'])
    const ids = await Promise.all(
      Array.from({ length: 50 }, (_, n) => broker.publish([n % 2 === 0 ? 'a' : 'b'], body(String(n)))),
    )
    const rising = ids.toSorted((a, b) => at(a).seq - at(b).seq)
    assert.deepEqual(await recorder.until(rising.at(-1) ?? ''), rising)
    assert.ok(isRising(rising.map(id => at(id).seq)))
  })

  it('a new log is another epoch', async bench => {
    const [one, other] = [await bench.listening(['a']), await bench.listening(['a'])]
    assert.notEqual(one.broker.position().epoch, other.broker.position().epoch)
  })

  it('an event of several topics has one id, is heard once a topic, and stands in the history of each', async bench => {
    const { broker, recorder } = await bench.listening(['a', 'b', 'c'])
    const id = await broker.publish(['a', 'b', 'deaf'], body('both'))
    const last = await broker.publish(['c'], body('last'))
    await recorder.until(last)
    const heard = recorder.heard.filter(({ event }) => idOf(event) === id)
    assert.deepEqual(heard.flatMap(({ topics }) => topics).toSorted(), ['a', 'b'])
    await broker.load(['a', 'b', 'c'], 0)
    for (const topic of ['a', 'b']) assert.deepEqual(broker.read(topic, 0, 10).events.map(idOf), [id])
    assert.deepEqual(broker.read('c', 0, 10).events.map(idOf), [last])
  })

  it('only what is subscribed to is heard', async bench => {
    const { broker, recorder } = await bench.listening(['a', 'b'])
    await broker.publish(['other'], body('x'))
    const first = await broker.publish(['a'], body('x'))
    await recorder.until(first)
    broker.unsubscribe('a')
    await broker.publish(['a'], body('x'))
    const second = await broker.publish(['b'], body('x'))
    await recorder.until(second)
    await broker.subscribe('a')
    const third = await broker.publish(['a'], body('x'))
    assert.deepEqual(await recorder.until(third), [first, second, third])
  })

  it('a key that is repeated answers the id of the first event, and publishes nothing', async bench => {
    const { broker, recorder } = await bench.listening(['a', 'b'])
    const key = 'order 7: “paid” \u{1F4B6}'
    const atOnce = await Promise.all([
      broker.publish(['a'], body('first'), { key }),
      broker.publish(['a'], body('second'), { key }),
      broker.publish(['b'], body('other'), { key: 'other' }),
    ])
    const again = await broker.publish(['b'], body('of another topic'), { key })
    const last = await broker.publish(['a'], body('without'))
    const [first, second, other] = atOnce
    assert.deepEqual([second, again], [first, first])
    assert.deepEqual(await recorder.until(last), [first, other, last])
    await broker.load(['a', 'b'], 0)
    assert.deepEqual(broker.read('a', 0, 10).events.map(idOf), [first, last])
    assert.deepEqual(broker.read('b', 0, 10).events.map(idOf), [other])
  })

  it('a key is remembered for as long as the history of the topics it was used with, and no longer', async bench => {
    const of = (topic: string) => (topic === 'long' ? { age: 10 * second } : undefined)
    const { broker, log } = await bench.listening([], { age: second, of })
    const first = await broker.publish(['short'], body('1'), { key: 'short' })
    const both = await broker.publish(['short', 'long'], body('2'), { key: 'both' })
    assert.equal(await broker.publish(['short'], body('3'), { key: 'short' }), first)
    await log.elapse(1.5 * second)
    assert.notEqual(await broker.publish(['short'], body('4'), { key: 'short' }), first)
    assert.equal(await broker.publish(['short'], body('5'), { key: 'both' }), both)
  })

  it('headers are kept with an event, live and in history, whatever their names', async bench => {
    const { broker, recorder } = await bench.listening(['a'])
    const headers = { traceparent: `00-${'4b'.repeat(16)}-00f067aa0ba902b7-01`, 'of a later version': 'a=1&b= \n"2"' }
    const id = await broker.publish(['a'], body('with'), { headers, key: 'k' })
    const last = await broker.publish(['a'], body('without'))
    await recorder.until(last)
    assert.deepEqual(
      recorder.heard.map(({ event }) => event.headers),
      [headers, undefined],
    )
    const { events } = (await loaded(broker, 'a')).read('a', 0, 10)
    assert.deepEqual(events.map(idOf), [id, last])
    assert.deepEqual(
      events.map(event => event.headers),
      [headers, undefined],
    )
  })

  it('history from before a subscription is in reach once it is loaded', async bench => {
    const log = await bench.open()
    const broker = await log.connect()
    broker.listen(new Recorder())
    const ids = await publishMany(broker, 'a', 3)
    await broker.subscribe('a')
    await loaded(broker, 'a')
    assert.deepEqual(broker.read('a', 0, 10).events.map(idOf), ids)
    assert.ok(broker.position().seq >= at(ids[2]).seq)
  })

  it('a message is heard by who announces it, whatever the topics', async bench => {
    const { broker, recorder } = await bench.listening([])
    if (!broker.ready) await recorder.untilReady()
    await broker.announce({ type: 'disconnect', session: 's:1', reason: 'logout' })
    assert.deepEqual(await recorder.untilMessages(1), [{ type: 'disconnect', session: 's:1', reason: 'logout' }])
  })
}
