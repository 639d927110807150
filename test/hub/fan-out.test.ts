import test from 'ava'
import type { StoredEvent } from '../../lib/broker/broker.ts'
import { systemClock } from '../../lib/clock.ts'
import { FanOut, type Batch, type Receiver } from '../../lib/hub/fan-out.ts'

const event = (seq: number): StoredEvent => ({ seq, at: 0, frame: Buffer.from(`[${seq}]`) })

class Collector implements Receiver {
  due: Batch | undefined
  readonly bufferBytes = 30
  behind = false
  readonly writes: Uint8Array[] = []
  readonly #from: number

  constructor(from = 0) {
    this.#from = from
  }

  awaits(seq: number): boolean {
    return !this.behind && seq > (this.due?.event.seq ?? this.#from)
  }

  flush(): void {
    if (this.due !== undefined) this.writes.push(this.due.chunk.bytes)
    this.due = undefined
  }

  fallBehind(): void {
    this.due = undefined
    this.behind = true
  }

  get texts(): string[] {
    return this.writes.map(bytes => Buffer.from(bytes).toString())
  }
}

test('what is due in one turn of the event loop is one write a receiver', async t => {
  const fanOut = new FanOut(systemClock)
  const receiver = new Collector()
  for (const seq of [1, 2, 3]) fanOut.deliver(event(seq), receiver)
  t.deepEqual(receiver.writes, [])
  await new Promise(setImmediate)
  fanOut.deliver(event(4), receiver)
  await new Promise(setImmediate)
  t.deepEqual(receiver.texts, ['[1][2][3]', '[4]'])
})

test('receivers that are due the same share one piece of memory, whatever others are due', t => {
  const fanOut = new FanOut(systemClock)
  const [both, same, odd, late] = [new Collector(), new Collector(), new Collector(), new Collector(3)]
  const all = [both, same, odd, late]
  for (let seq = 1; seq <= 6; seq += 1) {
    const next = event(seq)
    for (const receiver of all) if (receiver !== odd || seq % 2 === 1) fanOut.deliver(next, receiver)
  }
  fanOut.flush()
  t.deepEqual(
    all.map(({ texts }) => texts),
    [['[1][2][3][4][5][6]'], ['[1][2][3][4][5][6]'], ['[1][3][5]'], ['[4][5][6]']],
  )
  t.is(both.writes[0], same.writes[0])
})

test('what is due never grows over the receiver’s bound, however many events one turn has', t => {
  const fanOut = new FanOut(systemClock)
  const receiver = new Collector()
  for (let seq = 1; seq <= 8; seq += 1) fanOut.deliver(event(seq), receiver)
  t.false(receiver.behind)
  t.is(receiver.due?.length, 24)
  for (let seq = 9; seq <= 1_000; seq += 1) fanOut.deliver(event(seq), receiver)
  t.true(receiver.behind)
  t.is(receiver.due, undefined)
  fanOut.flush()
  t.deepEqual(receiver.texts, [])
})

test('an event that was published to several topics of a receiver is due to it once', t => {
  const fanOut = new FanOut(systemClock)
  const receiver = new Collector()
  const twice = event(1)
  fanOut.deliver(twice, receiver)
  fanOut.deliver(twice, receiver)
  fanOut.flush()
  t.deepEqual(receiver.texts, ['[1]'])
})

test('what a receiver causes to be published while it is served comes in the next turn, and no one is served twice', async t => {
  const fanOut = new FanOut(systemClock)
  const receiver = new Collector()
  const causing: Receiver = {
    due: undefined,
    awaits: () => true,
    bufferBytes: 30,
    fallBehind: () => t.fail(),
    flush() {
      this.due = undefined
      fanOut.deliver(event(2), receiver)
    },
  }
  const first = event(1)
  for (const one of [receiver, causing]) fanOut.deliver(first, one)
  await new Promise(setImmediate)
  t.deepEqual(receiver.texts, ['[1]'])
  await new Promise(setImmediate)
  t.deepEqual(receiver.texts, ['[1]', '[2]'])
})
