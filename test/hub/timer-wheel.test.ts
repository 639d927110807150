import test from 'ava'
import { systemClock, type Clock } from '../../lib/clock.ts'
import { TICK, TimerWheel, type Task } from '../../lib/hub/timer-wheel.ts'
import { ManualClock } from '../support/manual-clock.ts'

class Logged implements Task {
  appointment: number | undefined
  readonly ran: number[] = []
  readonly next: (now: number) => number | undefined

  constructor(next: (now: number) => number | undefined = () => undefined) {
    this.next = next
  }

  run(now: number): number | undefined {
    this.ran.push(now)
    return this.next(now)
  }
}

/** A wheel of a process that has run for a while, by its monotonic clock. */
function turning(start = 10 * TICK + 300) {
  const clock = new ManualClock()
  clock.advance(start)
  return { clock, wheel: new TimerWheel(clock), start }
}

test('a task is called once, never early and less than two ticks late', t => {
  const { clock, wheel, start } = turning()
  const tasks = new Map<number, Logged>()
  for (let wait = 0; wait <= 5 * TICK; wait += 100) {
    const task = new Logged()
    tasks.set(wait, task)
    wheel.schedule(task, start + wait)
  }
  clock.advance(10 * TICK)
  for (const [wait, { ran }] of tasks) {
    const [at = NaN] = ran
    t.is(ran.length, 1)
    t.true(at >= start + wait && at < start + wait + 2 * TICK, `${wait}: ${at - start}`)
  }
  t.is(clock.pending, 0, 'the timer runs only while there are tasks')
})

test('a task is called again when it asks to be, and the timer goes on', t => {
  const { clock, wheel, start } = turning(0)
  const task = new Logged(now => (now < 9 * TICK ? now + 3 * TICK : undefined))
  wheel.schedule(task, start + 3 * TICK)
  clock.advance(20 * TICK)
  t.deepEqual(task.ran, [3 * TICK, 6 * TICK, 9 * TICK])
  t.is(clock.pending, 0)
})

test('an appointment is moved, hastened, put off and cancelled', t => {
  const { clock, wheel } = turning(0)
  const [moved, hastened, patient, cancelled, never] = [1, 2, 3, 4, 5].map(() => new Logged()) as [
    Logged,
    Logged,
    Logged,
    Logged,
    Logged,
  ]
  wheel.schedule(moved, 2 * TICK)
  wheel.schedule(moved, 5 * TICK)
  wheel.schedule(hastened, 5 * TICK)
  wheel.hasten(hastened, 2 * TICK)
  wheel.schedule(patient, 2 * TICK)
  wheel.hasten(patient, 5 * TICK)
  wheel.schedule(cancelled, 2 * TICK)
  wheel.cancel(cancelled)
  wheel.cancel(cancelled)
  wheel.schedule(never, 2 * TICK)
  wheel.schedule(never, Infinity)
  clock.advance(9 * TICK)
  t.deepEqual(moved.ran, [5 * TICK])
  t.deepEqual(hastened.ran, [2 * TICK])
  t.deepEqual(patient.ran, [2 * TICK])
  t.deepEqual([...cancelled.ran, ...never.ran], [])
  t.is(clock.pending, 0)
})

test('a task may cancel and make appointments of others that are due with it', t => {
  const { clock, wheel } = turning(0)
  const victim = new Logged()
  const late = new Logged()
  const killer = new Logged(() => {
    wheel.cancel(victim)
    wheel.schedule(late, 0)
    return undefined
  })
  const own = new Logged(now => {
    if (now < 2 * TICK) wheel.schedule(own, now + 4 * TICK)
    return now < 2 * TICK ? now + TICK : undefined
  })
  for (const task of [killer, victim, own]) wheel.schedule(task, TICK)
  clock.advance(9 * TICK)
  t.deepEqual(victim.ran, [])
  t.deepEqual(late.ran, [2 * TICK], 'in the next tick, not in the one that is running')
  t.deepEqual(own.ran, [TICK, 5 * TICK], 'what it arranged itself counts more than its answer')
  t.is(clock.pending, 0)
})

test('after a long pause of the process all that was missed is called, in order, once clients have been heard', t => {
  let now = 0
  let tick = (): void => undefined
  let turn = (): void => undefined
  const clock: Clock = {
    ...systemClock,
    monotonic: () => now,
    turn: run => {
      turn = run
      return () => undefined
    },
    every: (_, run) => {
      tick = run
      return () => undefined
    },
  }
  const wheel = new TimerWheel(clock)
  const order: number[] = []
  for (const wait of [4, 2, 3, 100_000]) {
    const task: Task = { appointment: undefined, run: () => void order.push(wait) }
    wheel.schedule(task, wait * TICK)
  }
  now = 50_000 * TICK
  tick()
  t.deepEqual(order, [])
  turn()
  t.deepEqual(order, [2, 3, 4])
  now = 100_000 * TICK
  tick()
  turn()
  t.deepEqual(order, [2, 3, 4, 100_000])
})

test('an administrator who sets the clock neither hastens nor holds anything up', t => {
  const { clock, wheel } = turning(1_000 * TICK)
  const beat = new Logged(now => now + 10 * TICK)
  wheel.schedule(beat, clock.monotonic() + 10 * TICK)
  for (const now of [0, Date.UTC(2099, 0, 1)]) {
    const before = beat.ran.length
    clock.set(now)
    clock.advance(9 * TICK)
    t.is(beat.ran.length, before)
    clock.advance(TICK)
    t.is(beat.ran.length, before + 1)
  }
})
