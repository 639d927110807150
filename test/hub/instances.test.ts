import test, { type ExecutionContext } from 'ava'
import { MemoryRoster } from '../../lib/broker/memory/roster.ts'
import { DEFAULT_LEASE, Instances } from '../../lib/hub/instances.ts'
import { ManualClock } from '../support/manual-clock.ts'

function open(t: ExecutionContext) {
  const clock = new ManualClock()
  const inner = new MemoryRoster(clock)
  const faults: unknown[] = []
  let failure: Error | undefined
  const roster = {
    instances: () => inner.instances(),
    retire: (instance: string) => inner.retire(instance),
    beat: async (instance: string, ttl: number) => {
      if (failure !== undefined) throw failure
      return inner.beat(instance, ttl)
    },
  }
  const hub = { broker: { roster }, clock, failed: (_during: string, error: unknown) => faults.push(error) }
  return {
    clock,
    faults,
    add: () => {
      const instances = new Instances(hub, DEFAULT_LEASE)
      t.teardown(() => instances.close())
      return instances
    },
    fail: (error?: Error) => {
      failure = error
    },
    // What is due is asked of a roster that answers in this turn.
    elapse: async (ms: number) => {
      for (let passed = 0; passed < ms; passed += 500) {
        clock.advance(500)
        await new Promise(setImmediate)
      }
    },
  }
}

test('an instance is known from when it enters until it is closed', async t => {
  const { add, elapse } = open(t)
  const [one, other] = [add(), add()]
  t.deepEqual(await one.all(), [])
  await Promise.all([one.enter(), one.enter(), other.enter()])
  t.is(one.enter(), undefined)
  t.deepEqual(await one.all(), [one.id, other.id])
  await elapse(3 * DEFAULT_LEASE)
  t.deepEqual(await one.all(), [one.id, other.id])
  await one.close()
  t.deepEqual(await other.all(), [other.id])
  t.is(one.enter(), undefined)
  await elapse(DEFAULT_LEASE)
  t.deepEqual(await other.all(), [other.id])
})

test('one that has never entered is not known, and gives nothing back', async t => {
  const { add } = open(t)
  const one = add()
  await one.close()
  t.deepEqual(await one.all(), [])
})

test('where the roster fails nobody is locked out, it is told once, and tried again', async t => {
  const { add, fail, faults, elapse } = open(t)
  const one = add()
  let lapses = 0
  one.onLapse(() => (lapses += 1))
  fail(new Error('no memory is left'))
  await one.enter()
  await one.enter()
  await elapse(DEFAULT_LEASE)
  t.is(faults.length, 1)
  fail()
  await one.enter()
  t.deepEqual(await one.all(), [one.id])
  t.is(lapses, 0, 'nobody can have taken it for dead before it was known')
  fail(new Error('no memory is left'))
  await elapse(DEFAULT_LEASE)
  t.deepEqual(await one.all(), [])
  t.is(faults.length, 2)
  fail()
  await elapse(DEFAULT_LEASE)
  t.deepEqual([await one.all(), lapses], [[one.id], 1])
  one.told = 3
  await elapse(DEFAULT_LEASE / 2)
  t.true(lapses > 1, 'the roster knows of no change')
})
