import test from 'ava'
import type { StoredEvent } from '../../lib/broker/event-log.ts'
import { systemClock } from '../../lib/clock.ts'
import { FanOut, type Batch, type Receiver } from '../../lib/hub/fan-out.ts'
import { PIECE_BYTES } from '../../lib/stream/writer.ts'

const event = (seq: number): StoredEvent => ({ seq, at: 0, frame: Buffer.from(`[${seq}]`) })

const deliver = (fanOut: FanOut, event: StoredEvent, receiver: Receiver) => {
  fanOut.deliver(event, ['news'], 'news', receiver)
}

class Collector implements Receiver {
  due: Batch | undefined
  readonly writes: Uint8Array[] = []
  readonly #from: number

  constructor(from = 0) {
    this.#from = from
  }

  awaits(seq: number): boolean {
    return seq > (this.due?.event.seq ?? this.#from)
  }

  flush(): void {
    if (this.due !== undefined) this.writes.push(this.due.chunk.bytes)
    this.due = undefined
  }

  get texts(): string[] {
    return this.writes.map(bytes => Buffer.from(bytes).toString())
  }
}

test('what is due in one turn of the event loop is one write a receiver', async t => {
  const fanOut = new FanOut(systemClock)
  const receiver = new Collector()
  for (const seq of [1, 2, 3]) deliver(fanOut, event(seq), receiver)
  t.deepEqual(receiver.writes, [])
  await new Promise(setImmediate)
  deliver(fanOut, event(4), receiver)
  await new Promise(setImmediate)
  t.deepEqual(receiver.texts, ['[1][2][3]', '[4]'])
})

test('receivers that are due the same share one piece of memory, whatever others are due', t => {
  const fanOut = new FanOut(systemClock)
  const [both, same, odd, late] = [new Collector(), new Collector(), new Collector(), new Collector(3)]
  const all = [both, same, odd, late]
  for (let seq = 1; seq <= 6; seq += 1) {
    const next = event(seq)
    for (const receiver of all) if (receiver !== odd || seq % 2 === 1) deliver(fanOut, next, receiver)
  }
  fanOut.flush()
  t.deepEqual(
    all.map(({ texts }) => texts),
    [['[1][2][3][4][5][6]'], ['[1][2][3][4][5][6]'], ['[1][3][5]'], ['[4][5][6]']],
  )
  t.is(both.writes[0], same.writes[0])
})

test('what is due is written at once when it is a piece, so that history does not outrun a reader in one turn', t => {
  const fanOut = new FanOut(systemClock)
  const receiver = new Collector()
  const frame = Buffer.alloc(PIECE_BYTES / 4, '.')
  for (let seq = 1; seq <= 3; seq += 1) deliver(fanOut, { seq, at: 0, frame }, receiver)
  t.is(receiver.due?.length, (PIECE_BYTES * 3) / 4)
  deliver(fanOut, { seq: 4, at: 0, frame }, receiver)
  t.is(receiver.due, undefined)
  deliver(fanOut, event(5), receiver)
  t.deepEqual(
    receiver.writes.map(({ length }) => length),
    [65_536],
  )
  fanOut.flush()
  t.is(receiver.texts[1], '[5]')
})

test('what is due is taken back event by event, and what is kept is kept in its order', t => {
  const fanOut = new FanOut(systemClock)
  const [cut, whole] = [new Collector(), new Collector()]
  for (const [seq, topic] of [
    [1, 'a'],
    [2, 'b'],
    [3, 'a'],
  ] as const) {
    const next = event(seq)
    for (const receiver of [cut, whole]) fanOut.deliver(next, [topic], topic, receiver)
  }
  t.is(
    whole.due?.retain(() => true),
    whole.due,
  )
  t.is(
    whole.due?.retain(() => false),
    undefined,
  )
  cut.due = cut.due?.retain(frame => 'topics' in frame && !(frame.topics as string[]).includes('b'))
  fanOut.flush()
  t.deepEqual([cut.texts, whole.texts], [['[1][3]'], ['[1][2][3]']])
})

test('an event that was published to several topics of a receiver is due to it once', t => {
  const fanOut = new FanOut(systemClock)
  const receiver = new Collector()
  const twice = event(1)
  for (const topic of ['a', 'b']) fanOut.deliver(twice, ['a', 'b'], topic, receiver)
  fanOut.flush()
  t.deepEqual(receiver.texts, ['[1]'])
})

test('what a receiver causes to be published while it is served comes in the next turn, and no one is served twice', async t => {
  const fanOut = new FanOut(systemClock)
  const receiver = new Collector()
  const causing: Receiver = {
    due: undefined,
    awaits: () => true,
    flush() {
      this.due = undefined
      deliver(fanOut, event(2), receiver)
    },
  }
  const first = event(1)
  for (const one of [receiver, causing]) deliver(fanOut, first, one)
  await new Promise(setImmediate)
  t.deepEqual(receiver.texts, ['[1]'])
  await new Promise(setImmediate)
  t.deepEqual(receiver.texts, ['[1]', '[2]'])
})
