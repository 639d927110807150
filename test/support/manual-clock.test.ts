import test from 'ava'
import { ManualClock } from './manual-clock.ts'

test('tasks run in the order they fall due, each at its own time', t => {
  const clock = new ManualClock(0)
  const ran: [string, number][] = []
  const log = (name: string) => () => ran.push([name, clock.now()])
  clock.after(30, log('late'))
  clock.every(20, log('tick'))
  clock.after(10, () => clock.after(5, log('nested')))
  clock.after(15, log('stopped'))()
  clock.advance(45)
  t.deepEqual(ran, [
    ['nested', 15],
    ['tick', 20],
    ['late', 30],
    ['tick', 40],
  ])
  t.is(clock.now(), 45)
  t.is(clock.pending, 1)
})

test('a task may stop itself, and setting the clock moves no deadline', t => {
  const clock = new ManualClock(1_000)
  let ticks = 0
  const stop = clock.every(10, () => {
    if (++ticks === 2) stop()
  })
  clock.set(0)
  clock.advance(9)
  t.is(ticks, 0)
  clock.advance(100)
  t.is(ticks, 2)
  t.is(clock.pending, 0)
})
