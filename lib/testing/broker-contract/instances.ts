import assert from 'node:assert/strict'
import type { Contract } from './contract.ts'
import { at, body, idOf, like, loaded, only, publishMany } from './parts.ts'
import { Recorder } from './recorder.ts'

/** The part of the contract of brokers about the life of a log, and of one instance. */
export function instancesContract({ it }: Contract): void {
  it('a log that is lost is told to be another one, or the engine says that it cannot lose it', async bench => {
    const { broker, recorder } = await bench.listening(['a'])
    if (broker.lose === undefined) return
    const before = await broker.publish(['a'], body('x'))
    await recorder.until(before)
    await broker.lose()
    await recorder.untilGap()
    assert.deepEqual(recorder.gaps, [{ topics: ['a'], reason: 'epoch' }])
    const after = await broker.publish(['a'], body('y'))
    await recorder.until(after)
    assert.notEqual(at(after).epoch, at(before).epoch)
    assert.deepEqual(broker.position(), at(after))
    assert.deepEqual((await loaded(broker, 'a')).read('a', 0, 10).events.map(idOf), [after])
  })

  it('a closed engine says nothing more, and takes nothing', async bench => {
    const { broker, recorder } = await bench.listening(['a'])
    await broker.close()
    await assert.rejects(broker.publish(['a'], body('x')), { code: 'ERR_BROKER' })
    assert.deepEqual(recorder.heard, [])
  })
}

/** The part of the contract of brokers about several instances on one log. */
export function sharedContract({ it }: Contract): void {
  it('an instance that was not there knows what count has taken of the last events', async bench => {
    const log = await bench.open({ count: 4 })
    const [one, other] = [await log.connect(), await log.connect()]
    for (const broker of [one, other]) broker.listen(new Recorder())
    const ids = await publishMany(one, 'a', 6)
    await publishMany(one, 'few', 3)
    for (const topic of ['a', 'few']) await other.subscribe(topic)
    await other.load(['a', 'few'], 0)
    const slice = other.read('a', other.startOfLast('a', 5_000), 100)
    assert.deepEqual([slice.events.map(idOf), slice.trimmed], [ids.slice(2), true])
    assert.ok(!other.read('a', other.startOfLast('a', 4), 100).trimmed)
    assert.ok(!other.read('few', other.startOfLast('few', 5_000), 100).trimmed)
  })

  it('what one instance publishes and announces, another hears and reads', async bench => {
    const log = await bench.open()
    const [one, other] = [await log.connect(), await log.connect()]
    const recorder = new Recorder()
    other.listen(recorder)
    one.listen(new Recorder())
    await other.subscribe('a')
    const ids = await publishMany(one, 'a', 3)
    assert.deepEqual(await recorder.until(ids[2] ?? ''), ids)
    assert.deepEqual((await loaded(other, 'a')).read('a', 0, 10).events.map(idOf), ids)
    await one.announce({ type: 'disconnect', identity: 'ada', reason: 'server' })
    like(only(await recorder.untilMessages(1)), { type: 'disconnect', identity: 'ada' })
    await one.store.set('k', 'v', 60_000)
    const taken = await Promise.all([one.store.take('k'), other.store.take('k')])
    assert.equal(taken.filter(value => value === 'v').length, 1)
    const kept = await one.publish(['a'], body('x'), { key: 'k', headers: { trace: '1' } })
    assert.equal(await other.publish(['a'], body('y'), { key: 'k' }), kept)
    const latest = (await loaded(other, 'a')).read('a', at(ids[2]).seq, 10).events
    assert.deepEqual(
      latest.map(event => [idOf(event), event.headers]),
      [[kept, { trace: '1' }]],
    )
    await one.roster.beat('one', 60_000)
    assert.deepEqual(await other.roster.instances(), ['one'])
    const places = [one, other].map(({ leases }, n) => leases.lease({ key: 'k', holder: String(n) }, 60_000, 1))
    assert.deepEqual((await Promise.all(places)).toSorted(), [false, true])
  })
}
