import assert from 'node:assert/strict'
import type { Contract } from './contract.ts'

/** The part of the contract of brokers about small values. */
export function storeContract({ it, second }: Contract): void {
  it('small values are kept until their end, and taken once', async bench => {
    const { broker, log } = await bench.listening([])
    const { store } = broker
    assert.equal(await store.get('k'), undefined)
    await store.set('k', 'one', second)
    await store.set('k', 'two', second)
    assert.equal(await store.get('k'), 'two')
    const taken = await Promise.all([store.take('k'), store.take('k'), store.take('k')])
    assert.deepEqual(
      taken.filter(value => value !== undefined),
      ['two'],
    )
    assert.equal(await store.get('k'), undefined)
    await store.set('k', 'three', second / 2)
    await store.set('gone', 'x', 0)
    await log.elapse(second)
    for (const key of ['k', 'gone']) assert.equal(await store.get(key), undefined)
    for (const key of ['k', 'gone']) assert.equal(await store.take(key), undefined)
  })
}
