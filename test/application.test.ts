import test from 'ava'
import { callAside, callInTime, callNow } from '../lib/application.ts'
import { ManualClock } from './support/manual-clock.ts'

// Whatever is left to be an unhandled rejection or an uncaught exception fails the whole file: AVA sees to that.
const turn = () => new Promise(setImmediate)
const late = () => Promise.reject(new Error('late'))
const failure = new Error('the application fails')

const hostile = {
  get then(): never {
    throw failure
  },
}
const throwing = {
  then: () => {
    throw failure
  },
}
const fickle = {
  then: (resolve: (value: unknown) => void, reject: (error: unknown) => void) => {
    resolve('first')
    reject(failure)
    throw failure
  },
}

function limit() {
  const clock = new ManualClock()
  return { clock, ms: 100, what: '`it`' }
}

test('what a function answers, at once or later, is answered, and the clock is left alone', async t => {
  const { clock, ...rest } = limit()
  t.is(await callInTime({ clock, ...rest }, () => 'now'), 'now')
  t.is(await callInTime({ clock, ...rest }, async () => 'later'), 'later')
  t.is(await callInTime<unknown>({ clock, ...rest }, () => fickle), 'first')
  t.is(clock.pending, 0)
})

test('whatever way a function fails, it is a rejection', async t => {
  const ways: (() => unknown)[] = [
    () => {
      throw failure
    },
    () => Promise.reject(failure),
    () => hostile,
    () => throwing,
  ]
  for (const call of ways) t.is(await t.throwsAsync(callInTime<unknown>(limit(), call)), failure)
})

test('a call that takes too long is given up, and what becomes of it is ignored', async t => {
  const { clock, ...rest } = limit()
  let fail = (): void => undefined
  const calling = callInTime(
    { clock, ...rest },
    () => new Promise<never>((_, reject) => (fail = () => reject(failure))),
  )
  clock.advance(99)
  await turn()
  clock.advance(1)
  await t.throwsAsync(calling, { message: '`it` did not answer within 100 ms' })
  fail()
  await turn()
  t.is(clock.pending, 0)
})

test('a function with a `then` is a promise like any other', async t => {
  const { clock, ...rest } = limit()
  const callable = Object.assign(() => undefined, { then: () => undefined })
  const calling = callInTime<unknown>({ clock, ...rest }, () => callable)
  clock.advance(100)
  await t.throwsAsync(calling, { message: '`it` did not answer within 100 ms' })
  t.throws(() => callNow('`it`', () => callable), { instanceOf: TypeError })
})

test('who calls may say what error a deadline is', async t => {
  const { clock, ...rest } = limit()
  const options = { clock, ...rest, late: (message: string) => new RangeError(message) }
  const calling = callInTime(options, () => new Promise<never>(() => undefined))
  clock.advance(100)
  await t.throwsAsync(calling, { instanceOf: RangeError, message: '`it` did not answer within 100 ms' })
})

test('an answer that is needed at once is no promise, and one that comes all the same is ignored', async t => {
  t.is(
    callNow('`it`', () => 7),
    7,
  )
  t.is(
    callNow('`it`', () => null),
    null,
  )
  t.throws(() => callNow('`it`', late), { instanceOf: TypeError, message: /`it` must be synchronous/ })
  t.is(
    t.throws(() => callNow('`it`', () => hostile)),
    failure,
  )
  t.is(
    t.throws(() =>
      callNow('`it`', () => {
        throw failure
      }),
    ),
    failure,
  )
  await turn()
})

test('a failure that nobody waits for is told once, whenever it comes', async t => {
  const told: unknown[] = []
  const tell = (error: unknown) => told.push(error)
  callAside(() => {
    throw failure
  }, tell)
  t.deepEqual(told.splice(0), [failure])
  for (const call of [() => Promise.reject(failure), () => hostile, () => throwing]) {
    callAside(call, tell)
    await turn()
    t.deepEqual(told.splice(0), [failure])
  }
  for (const call of [() => undefined, () => 'junk', async () => 'junk', () => fickle]) callAside(call, tell)
  await turn()
  t.deepEqual(told, [])
})
