import assert from 'node:assert/strict'
import type { Contract } from './contract.ts'

/** The part of the contract of brokers about places. */
export function leasesContract({ it, second }: Contract): void {
  it('of any number of holders that ask at once, so many get a place as there are, and keep it', async bench => {
    const { broker } = await bench.listening([])
    const { leases } = broker
    const ask = (holder: string) => leases.lease({ key: 'k', holder }, 60_000, 3)
    const holders = Array.from({ length: 20 }, (_, n) => `h${n}`)
    const answers = await Promise.all(holders.map(ask))
    const lucky = holders.filter((_, n) => answers[n])
    assert.equal(lucky.length, 3)
    assert.deepEqual(await Promise.all(lucky.map(ask)), [true, true, true])
    assert.ok(await leases.lease({ key: 'other', holder: 'h0' }, 60_000, 3))
    await leases.release([
      { key: 'k', holder: lucky[0] ?? '' },
      { key: 'k', holder: 'nobody' },
    ])
    assert.equal(await leases.taken('k'), 2)
    assert.deepEqual([await ask('late'), await ask('later')], [true, false])
    assert.deepEqual([await leases.taken('k'), await leases.taken('unknown')], [3, 0])
    await leases.release([])
  })

  it('places end by themselves, unless they are renewed, over what there are if need be', async bench => {
    const { broker, log } = await bench.listening([])
    const { leases } = broker
    const ask = (holder: string, ttl: number) => leases.lease({ key: 'k', holder }, ttl, 2)
    assert.deepEqual([await ask('a', second), await ask('b', second)], [true, true])
    await leases.renew([{ key: 'k', holder: 'a' }], 60_000)
    assert.deepEqual([await ask('b', second), await ask('c', second)], [true, false])
    await log.elapse(1.5 * second)
    assert.equal(await leases.taken('k'), 1)
    assert.deepEqual([await ask('c', 60_000), await ask('d', 60_000)], [true, false])
    await leases.renew(
      ['b', 'd'].map(holder => ({ key: 'k', holder })),
      60_000,
    )
    await leases.release([{ key: 'k', holder: 'a' }])
    assert.deepEqual([await ask('e', 60_000), await ask('d', 60_000)], [false, true])
  })

  it('where the oldest give way, one more always gets a place, and it is told whose that was', async bench => {
    const { broker } = await bench.listening([])
    const { leases } = broker
    const come = (holder: string) => leases.supersede({ key: 'k', holder }, 60_000, 2)
    const [a, b] = [await come('a'), await come('b')]
    assert.deepEqual([a.superseded, b.superseded], [[], []])
    // Neither is younger for being renewed.
    await leases.renew([b.lease, a.lease], 60_000)
    const c = await come('c')
    assert.deepEqual(c.superseded, ['a'])
    assert.deepEqual((await come('d')).superseded, ['b'])
    assert.ok(!(await leases.lease({ key: 'k', holder: 'late' }, 60_000, 2)))
    await leases.release([c.lease])
    assert.deepEqual((await come('e')).superseded, [])
    assert.deepEqual((await leases.supersede({ key: 'k', holder: 'f' }, 60_000, 1)).superseded, ['d', 'e'])
    assert.deepEqual((await leases.supersede({ key: 'other', holder: 'a' }, 60_000, 1)).superseded, [])
  })

  it('of any number that come at once, the oldest of them give way one by one', async bench => {
    const { broker } = await bench.listening([])
    const holders = Array.from({ length: 20 }, (_, n) => `h${n}`)
    const come = (holder: string) => broker.leases.supersede({ key: 'k', holder }, 60_000, 3)
    const answers = await Promise.all(holders.map(come))
    assert.deepEqual(
      answers.flatMap(({ superseded }) => superseded),
      holders.slice(0, 17),
    )
  })

  it('places that end by themselves are nobody’s loss, and those that were leased count as older', async bench => {
    const { broker, log } = await bench.listening([])
    const { leases } = broker
    await leases.supersede({ key: 'k', holder: 'brief' }, second, 2)
    await leases.lease({ key: 'k', holder: 'leased' }, 60_000, 2)
    await log.elapse(1.5 * second)
    assert.deepEqual((await leases.supersede({ key: 'k', holder: 'a' }, 60_000, 2)).superseded, [])
    assert.deepEqual((await leases.supersede({ key: 'k', holder: 'b' }, 60_000, 2)).superseded, ['leased'])
  })

  it('thousands of places are renewed and given back at once', async bench => {
    const { broker } = await bench.listening([])
    const { leases } = broker
    const all = Array.from({ length: 3_001 }, (_, n) => ({ key: `k${n}`, holder: 'h' }))
    await leases.renew(all, 60_000)
    const last = { key: 'k3000', holder: 'another' }
    assert.ok(!(await leases.lease(last, 60_000, 1)))
    await leases.release(all)
    assert.ok(await leases.lease(last, 60_000, 1))
  })
}
