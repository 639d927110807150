import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import test from 'ava'
import fc from 'fast-check'
import type { StoredEvent } from '../../lib/broker/event-log.ts'
import { History } from '../../lib/broker/history.ts'
import type { HistoryLimits } from '../../lib/broker/history-policy.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** The same by keeping everything for ever, and looking at all of it each time. */
class NaiveHistory {
  readonly all: StoredEvent[] = []
  readonly #since: number
  #forgotten = 0
  // Of those that are forgotten, so many have been found too old.
  #hopeless = 0

  constructor(since: number) {
    this.#since = since
  }

  get kept(): StoredEvent[] {
    return this.all.slice(this.#forgotten)
  }

  get trimmed(): number {
    return this.all[this.#forgotten - 1]?.seq ?? this.#since
  }

  forget(now: number, { count, bytes, age }: HistoryLimits): void {
    const isOver = ({ kept } = this) =>
      (kept.length > 1 && (kept.length > count || kept.reduce((sum, { frame }) => sum + frame.length, 0) > bytes)) ||
      (kept[0] !== undefined && now - kept[0].at > age)
    while (isOver()) this.#forgotten += 1
    const newest = this.all[this.#forgotten - 1]
    if (newest === undefined || now - newest.at > age) this.#hopeless = this.#forgotten
  }

  /** Whether some of the last `count` events are missing that have not been too old since they were published. */
  isShort(count: number): boolean {
    return count > this.kept.length && this.#hopeless < this.#forgotten
  }

  read(after: number, limit: number) {
    const later = this.kept.filter(({ seq }) => seq > after)
    return {
      events: later.slice(0, limit),
      more: later.length > limit,
      trimmed: after < this.trimmed,
      start: this.trimmed,
    }
  }
}

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ gap: fc.integer({ min: 1, max: 5 }), wait: fc.nat(20), size: fc.nat(40) }) },
  { weight: 1, arbitrary: fc.record({ wait: fc.integer({ min: -30, max: 100 }) }) },
)
const limits = fc.record({ count: fc.nat(12), bytes: fc.nat(300), age: fc.integer({ min: 1, max: 150 }) })

test('any run of appending and expiring remembers what a naive list would', t => {
  const START = 100
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), limits, fc.nat(8), (steps, limits, limit) => {
      const history = new History(START)
      const naive = new NaiveHistory(START)
      let [seq, now] = [START, 1_000]
      for (const { wait, ...append } of steps) {
        now += wait
        if ('size' in append) {
          seq += append.gap
          const event = { seq, at: now, frame: new Uint8Array(append.size) }
          history.append(event, limits)
          naive.all.push(event)
        } else history.expire(now, limits)
        naive.forget(now, limits)
        t.is(history.size, naive.kept.length)
        t.is(history.last, seq)
        t.is(history.newestAt, naive.kept.at(-1)?.at)
        for (const after of [0, START, naive.trimmed - 1, naive.trimmed, (naive.trimmed + seq) >> 1, seq, seq + 1]) {
          t.deepEqual(history.read(after, limit), naive.read(after, limit))
        }
        const start = history.startOfLast(limit)
        t.deepEqual(history.read(start, 1_000), {
          events: naive.kept.slice(-limit || Infinity),
          more: false,
          trimmed: naive.isShort(limit),
          start: naive.trimmed,
        })
      }
    }),
    { numRuns: 150 },
  )
})

test('what is forgotten is let go of', async t => {
  const history = new History(0)
  const limits = { count: 1_000, bytes: 1_000, age: 1_000 }
  const frames: WeakRef<Uint8Array>[] = []
  for (let seq = 1; seq <= 30; seq += 1) {
    const frame = new Uint8Array(900)
    frames.push(new WeakRef(frame))
    history.append({ seq, at: 0, frame }, limits)
  }
  // A reference that was looked at lives to the end of its turn.
  await new Promise(setImmediate)
  collectGarbage()
  t.is(frames.filter(frame => frame.deref() !== undefined).length, 1)
  t.is(history.size, 1)
})
