import assert from 'node:assert/strict'
import type { Contract } from './contract.ts'

/** The part of the contract of brokers about who is there. */
export function rosterContract({ it, second }: Contract): void {
  it('an instance lives for as long as it says so, and is told when others may have taken it for dead', async bench => {
    const { broker, log } = await bench.listening([])
    const { roster } = broker
    assert.deepEqual(await roster.instances(), [])
    assert.equal(await roster.beat('brief', second), undefined)
    assert.equal(await roster.beat('long', 60_000), undefined)
    assert.equal(await roster.beat('long', 60_000), 0)
    assert.deepEqual((await roster.instances()).toSorted(), ['brief', 'long'])
    await log.elapse(1.5 * second)
    assert.deepEqual(await roster.instances(), ['long'])
    assert.deepEqual((await roster.chores(60_000)).dead, ['brief'])
    assert.equal(await roster.beat('brief', 60_000), undefined)
    assert.deepEqual((await roster.chores(60_000)).dead, [])
    await roster.retire('long')
    await roster.retire('unknown')
    assert.deepEqual(await roster.instances(), ['brief'])
    assert.equal(await roster.beat('long', 60_000), undefined)
  })

  it('whoever is present at a topic counts once, whatever instances have him, until the last one lets him go', async bench => {
    const { broker } = await bench.listening([])
    const { roster } = broker
    const come = (topic: string, id: string, info = 'true') => ({ topic, id, info })
    const go = (topic: string, id: string) => ({ topic, id, info: undefined })
    assert.deepEqual(await roster.present('r', 10), { version: '', count: 0, members: [] })
    const changes = [come('r', 'ada'), come('r', 'bob', '{"a":"1 ,\\n 2"}'), come('s', 'a,b c')]
    assert.deepEqual((await roster.change('one', 1, changes)).toSorted(), ['r', 's'])
    assert.deepEqual(await roster.change('other', 1, [come('r', 'ada')]), [])
    const { version, ...present } = await roster.present('r', 10)
    const bob = { id: 'bob', info: '{"a":"1 ,\\n 2"}' }
    assert.deepEqual(present, { count: 2, members: [{ id: 'ada', info: 'true' }, bob] })
    assert.deepEqual((await roster.present('s', 10)).members, [{ id: 'a,b c', info: 'true' }])
    assert.deepEqual(await roster.change('one', 2, [come('r', 'bob', '2'), come('r', 'ada')]), ['r'])
    assert.deepEqual((await roster.present('r', 10)).members.at(-1), { id: 'bob', info: '2' })
    assert.notEqual((await roster.present('r', 10)).version, version)
    assert.deepEqual(await roster.change('one', 3, [go('r', 'ada'), go('r', 'nobody'), go('nowhere', 'ada')]), [])
    assert.equal((await roster.present('r', 0)).count, 2)
    assert.deepEqual(await roster.entries('other'), [{ topic: 'r', id: 'ada' }])
    assert.deepEqual(await roster.change('other', 2, [go('r', 'ada')]), ['r'])
    assert.deepEqual(await roster.change('one', 4, [go('r', 'bob')]), ['r'])
    assert.deepEqual(await roster.present('r', 10), { version: '', count: 0, members: [] })
    assert.deepEqual(await roster.entries('one'), [{ topic: 's', id: 'a,b c' }])
  })

  it('a change that comes behind a later one of its instance changes nothing', async bench => {
    const { broker } = await bench.listening([])
    const { roster } = broker
    await roster.beat('one', 60_000)
    await roster.change('one', 5, [{ topic: 'r', id: 'ada', info: 'true' }])
    for (const number of [4, 5]) {
      assert.deepEqual(await roster.change('one', number, [{ topic: 'r', id: 'ada', info: undefined }]), [])
    }
    assert.equal((await roster.present('r', 0)).count, 1)
    assert.equal(await roster.beat('one', 60_000), 5)
  })

  it('what a dead instance had is taken away, by whoever notices, unless it lives again', async bench => {
    const { broker, log } = await bench.listening([])
    const { roster } = broker
    const ids = Array.from({ length: 1_200 }, (_, n) => `u${String(n).padStart(4, '0')}`)
    for (let from = 0; from < ids.length; from += 400) {
      const some = ids.slice(from, from + 400).map(id => ({ topic: 'r', id, info: 'true' }))
      await roster.change('dies', 1 + from, some)
    }
    await roster.change('wakes', 1, [{ topic: 'r', id: 'u0007', info: 'true' }])
    assert.equal((await roster.present('r', 3)).members.length, 3)
    await roster.beat('dies', second)
    await roster.beat('wakes', second)
    assert.deepEqual(await roster.bury('dies'), [], 'it lives')
    await log.elapse(1.5 * second)
    assert.deepEqual((await roster.chores(60_000)).dead.toSorted(), ['dies', 'wakes'])
    await roster.beat('wakes', 60_000)
    assert.deepEqual(await roster.bury('wakes'), [])
    assert.equal((await roster.present('r', 0)).count, 1_200)
    const buried = await Promise.all([roster.bury('dies'), roster.bury('dies')])
    assert.deepEqual([...new Set(buried.flat())], ['r'])
    assert.deepEqual((await roster.present('r', 10)).members, [{ id: 'u0007', info: 'true' }])
    assert.deepEqual((await roster.chores(60_000)).dead, [])
    assert.deepEqual([await roster.entries('dies'), await roster.beat('dies', 60_000)], [[], undefined])
  })

  it('one that retires and still has somebody, or never said that it lives, is buried as a dead one', async bench => {
    const { broker } = await bench.listening([])
    const { roster } = broker
    await roster.beat('one', 60_000)
    await roster.change('one', 1, [{ topic: 'r', id: 'ada', info: 'true' }])
    await roster.change('silent', 1, [{ topic: 'r', id: 'bob', info: 'true' }])
    await roster.retire('one')
    assert.deepEqual(await roster.instances(), [])
    assert.deepEqual((await roster.chores(60_000)).dead.toSorted(), ['one', 'silent'])
    for (const dead of ['one', 'silent']) assert.deepEqual(await roster.bury(dead), ['r'])
    assert.equal((await roster.present('r', 0)).count, 0)
  })

  it('a topic is untold from its first change until its present version has been told', async bench => {
    const { broker, log } = await bench.listening([])
    const { roster } = broker
    await roster.change('one', 1, [{ topic: 'r', id: 'ada', info: 'true' }])
    const { version } = await roster.present('r', 0)
    await roster.change('one', 2, [{ topic: 'r', id: 'bob', info: 'true' }])
    assert.ok(!(await roster.told('r', version)))
    assert.deepEqual((await roster.chores(60_000)).untold, [])
    await log.elapse(1.5 * second)
    assert.deepEqual((await roster.chores(second)).untold, ['r'])
    assert.deepEqual((await roster.chores(second)).untold, [], 'somebody sees to it')
    await log.elapse(1.5 * second)
    assert.deepEqual((await roster.chores(second)).untold, ['r'])
    assert.ok(await roster.told('r', (await roster.present('r', 0)).version))
    await roster.change(
      'one',
      3,
      ['ada', 'bob'].map(id => ({ topic: 'r', id, info: undefined })),
    )
    assert.ok(!(await roster.told('r', version)))
    assert.ok(await roster.told('r', (await roster.present('r', 0)).version))
    await log.elapse(1.5 * second)
    assert.deepEqual((await roster.chores(0)).untold, [])
  })
}
