// The writer's states, all against the same recording sink: queueing, history, blocks, heartbeats and ends.
import test from 'ava'
import { systemClock, type Clock } from '../../lib/clock.ts'
import { Batch } from '../../lib/hub/fan-out.ts'
import type { Frame } from '../../lib/stream/write-queue.ts'
import { HIGH_WATER_MARK, PIECE_BYTES, Writer, type WriterHost, type WritingStream } from '../../lib/stream/writer.ts'
import { Chunk } from '../../lib/wire/chunk.ts'
import { RecordingSink } from '../support/recording-sink.ts'

const FIRST = ': \n'
const LIMIT = 1_000_000

/** What a writer tells, and how many bytes it says that it keeps. */
class Listening implements WritingStream, WriterHost {
  readonly clock: Clock
  readonly told: string[] = []
  bytes = 0
  readonly waiting = () => void this.told.push('waiting')
  readonly sent = () => undefined
  readonly emptied = () => void this.told.push('emptied')
  readonly room = () => void this.told.push('room')
  readonly ended = () => void this.told.push('ended')
  readonly failed = () => void this.told.push('failed')
  readonly kept = (bytes: number) => void (this.bytes += bytes)

  constructor(clock: Clock) {
    this.clock = clock
  }
}

const own = (text: string) => Buffer.from(text, 'latin1')
const event = (seq: number, text = `data: ${seq}\n\n`) => ({ seq, at: 0, frame: own(text) })
const batch = (seq: number, text?: string) => new Batch(event(seq, text), ['news'])
const turn = () => new Promise<void>(resolve => void setImmediate(resolve))
const END = { last: undefined, discards: false, how: 'end', isOwn: false } as const
const LAST = own('event: goaway\n\n')

/** A writer with its sink, whose turns of the event loop are the test's. */
function unattached({ isReading = true } = {}) {
  const sink = new RecordingSink()
  sink.isReading = isReading
  const turns: (() => void)[] = []
  const clock = { ...systemClock, turn: (task: () => void) => (turns.push(task), () => undefined) }
  const host = new Listening(clock)
  const writer = new Writer(host, host)
  const attach = () => {
    writer.attach(sink, own(FIRST))
    for (const task of turns.splice(0)) task()
  }
  const deliver = (seq: number, text?: string, limit = LIMIT) => writer.deliver(batch(seq, text), limit, { now: 0 })
  return { host, sink, turns, writer, attach, deliver }
}

function attached(options?: { isReading?: boolean }) {
  const all = unattached(options)
  all.attach()
  if (options?.isReading === false) all.sink.take()
  return all
}

test('the first bytes are a write of their own, a turn ahead of all that was written before', t => {
  const { sink, writer, turns, deliver } = unattached()
  writer.write(own('data: early\n\n'))
  t.true(deliver(1))
  writer.attach(sink, own(FIRST))
  writer.write(own('data: late\n\n'))
  t.deepEqual(sink.pieces, [FIRST])
  t.is(writer.waitingBytes, 0, 'nobody is slow who could not take anything yet')
  for (const task of turns) task()
  t.deepEqual(sink.pieces, [FIRST, 'data: early\n\ndata: 1\n\ndata: late\n\n'])
})

for (const isReading of [true, false]) {
  test(`bytes go out in the order of the calls (${isReading ? 'a reader' : 'nobody reads'})`, async t => {
    const { sink, writer, deliver, host } = attached({ isReading })
    const expected: string[] = [FIRST]
    for (let n = 0; n < 40; n += 1) {
      const size = n % 7 === 0 ? 40_000 : 10
      const texts = ['shared', 'own', 'raw', 'history'].map(kind => `data: ${kind} ${n} ${'.'.repeat(size)}\n\n`)
      const [shared = '', mine = '', raw = '', history = ''] = texts
      t.true(deliver(n, shared, 64 << 20))
      writer.write(own(mine))
      writer.writeRaw(own(raw))
      writer.writeHistory([event(n, history)])
      writer.beat(Chunk.of(own(': \n')), 0)
      if (n % 5 === 0) await turn()
      expected.push(...texts)
    }
    while (sink.pendingBytes > 0) {
      sink.take()
      await turn()
    }
    t.is(sink.text.replaceAll(': \n', ''), expected.slice(1).join(''))
    t.deepEqual([writer.bufferedBytes, host.bytes], [0, 0])
  })
}

test('nothing is put into a block that the application has begun to write as bytes', async t => {
  const { sink, writer, deliver, host } = attached()
  writer.writeRaw(own('data: begun'))
  writer.write(own('data: own\n\n'))
  t.true(deliver(1))
  writer.writeHistory([event(2)])
  await turn()
  writer.beat(Chunk.of(own(': \n')), 0)
  t.is(sink.text, FIRST + 'data: begun')
  t.is(host.bytes, 'data: own\n\ndata: 1\n\ndata: 2\n\n'.length)
  writer.writeRaw(own('\n'))
  t.is(sink.text, FIRST + 'data: begun\n')
  writer.writeRaw(own('\ndata: next\n'))
  t.is(sink.text, FIRST + 'data: begun\n\n' + 'data: own\n\ndata: 1\n\ndata: 2\n\n' + 'data: next\n')
  t.false(writer.isBroken)
  writer.write(own('data: behind\n\n'))
  writer.writeRaw(own('\n'))
  t.true(sink.text.endsWith('data: next\n\ndata: behind\n\n'))
  t.is(host.bytes, 0)
})

test('while history is read, what was written after it waits, in its order; a block that has begun is finished first', async t => {
  const { sink, writer } = attached()
  writer.writeRaw(own('data: raw'))
  writer.holdBehindHistory()
  writer.write(own('data: own\n\n'))
  writer.writeRaw(own(' whole\n\n'))
  writer.writeRaw(own('data: raw too\n'))
  writer.writeHistory([event(1)])
  writer.write(own('data: more\n\n'))
  writer.writeHistory([event(2)])
  t.is(sink.text, FIRST + 'data: raw whole\n\n' + 'data: 1\n\ndata: 2\n\n')
  t.is(writer.bufferedBytes - sink.pendingBytes, 'data: own\n\ndata: raw too\ndata: more\n\n'.length)
  writer.releaseBehindHistory()
  // The block that has begun again keeps the last one back.
  t.true(sink.text.endsWith('data: 2\n\ndata: own\n\ndata: raw too\n'))
  writer.writeRaw(own('\n'))
  await turn()
  t.true(sink.text.endsWith('data: raw too\n\ndata: more\n\n'))
})

test('what is large is handed on in pieces of at most 64 KiB, so that progress is seen in the middle of it', t => {
  const { sink, writer, host } = attached({ isReading: false })
  const body = 'x'.repeat(200_000)
  writer.write(own(body))
  t.deepEqual(
    sink.pieces.slice(1).map(({ length }) => length),
    [PIECE_BYTES],
  )
  t.is(writer.bufferedBytes, 200_000)
  t.is(host.bytes, 200_000 - 65_536, 'what the sink holds is not counted as kept')
  const before = writer.progress
  sink.take(1_000)
  t.is(writer.progress, before + 1_000)
  t.is(writer.bufferedBytes, 199_000)
  sink.take()
  t.deepEqual(
    sink.pieces.slice(1).map(({ length }) => length),
    [65_536, 65_536, 65_536, 3_392],
  )
  t.is(sink.text, FIRST + body)
  t.deepEqual(host.told.filter(word => word === 'waiting').length, 1)
})

test('bytes that begin to wait are told of once, and again when nobody watches any more', t => {
  const { sink, writer, host } = attached({ isReading: false })
  writer.write(own('a'))
  writer.write(own('b'))
  t.deepEqual(host.told, ['waiting'])
  sink.take()
  writer.unwatch()
  writer.write(own('c'))
  t.deepEqual(host.told, ['waiting', 'waiting'])
})

test('a write that failed ends it, and never counts as sent', t => {
  const { sink, writer, host } = attached({ isReading: false })
  writer.write(own('x'.repeat(100_000)))
  writer.callBack()
  const { progress } = writer
  sink.fail(new Error('EPIPE'))
  t.deepEqual(host.told, ['waiting', 'failed'])
  t.is(writer.progress, progress)
  t.true(writer.isBroken)
  t.false(writer.isEnded)
  t.is(host.bytes, 0, 'what waits will never be sent, and is not kept')
  const { length } = sink.pieces
  writer.write(own('late'))
  writer.writeRaw(own('late'))
  t.is(sink.pieces.length, length)
  writer.finish({ ...END, last: LAST })
  t.is(sink.pieces.length, length)
  t.false(host.told.includes('ended'))
})

test('a sink that takes nothing any more is found by the next write, not believed', t => {
  const { sink, writer, host } = attached()
  sink.isOpen = false
  t.true(writer.isBroken)
  writer.write(own('data: x\n\n'))
  t.deepEqual(host.told, ['failed'])
  t.is(sink.text, FIRST)
})

test('events of which nothing has been handed on are taken back; one that has begun is finished', t => {
  const { sink, writer, host, deliver } = attached({ isReading: false })
  const begun = `data: ${'b'.repeat(70_000)}\n\n`
  t.true(deliver(1, begun))
  t.true(deliver(2))
  writer.write(own('data: own\n\n'))
  t.true(deliver(3))
  const seqOf = (frame: Frame) => ('event' in frame ? (frame.event as { seq: number }).seq : NaN)
  writer.retain(frame => seqOf(frame) === 3)
  t.is(host.bytes, begun.length - PIECE_BYTES + 'data: own\n\ndata: 3\n\n'.length)
  sink.take()
  t.is(sink.text, FIRST + begun + 'data: own\n\ndata: 3\n\n')
  t.is(host.bytes, 0)
})

test('events that wait behind an unfinished block are taken back, too', t => {
  const { sink, writer, deliver, host } = attached()
  writer.writeRaw(own('data: raw'))
  t.true(deliver(1))
  writer.write(own('data: own\n\n'))
  writer.retain(() => false)
  t.is(host.bytes, 'data: own\n\n'.length)
  writer.writeRaw(own('\n\n'))
  t.is(sink.text, FIRST + 'data: raw\n\ndata: own\n\n')
})

test('an end comes behind all that waits, then the last block, then the end of the response', t => {
  const { sink, writer, host } = attached({ isReading: false })
  writer.holdBehindHistory()
  writer.write(own('x'.repeat(100_000)))
  writer.finish({ ...END, last: LAST })
  t.is(sink.ending, undefined)
  t.false(writer.isEnded)
  sink.take()
  t.is(sink.text, `${FIRST}${'x'.repeat(100_000)}event: goaway\n\n`)
  t.is(sink.ending, 'end')
  t.deepEqual(host.told.at(-1), 'ended')
  t.true(writer.isEnded)
  t.is(host.bytes, 0)
})

test('an end that discards throws whole events away, finishes what has begun, and tells why', t => {
  const { sink, writer, deliver } = attached({ isReading: false })
  const begun = `data: ${'b'.repeat(70_000)}\n\n`
  t.true(deliver(1, begun))
  t.true(deliver(2))
  writer.write(own('data: own\n\n'))
  writer.holdBehindHistory()
  writer.write(own('data: behind history\n\n'))
  writer.finish({ ...END, last: LAST, discards: true, how: 'end' })
  sink.take()
  t.is(sink.text, FIRST + begun + 'event: goaway\n\n')
  t.is(sink.ending, 'end')
})

for (const [what, discards, write] of [
  ['an unfinished block', false, (raw: (text: string) => void) => raw('data: half')],
  ['an unfinished comment', false, (raw: (text: string) => void) => raw(': half')],
  ['an unfinished block, though the rest is discarded', true, (raw: (text: string) => void) => raw('data: half')],
] as const) {
  test(`nothing follows ${what}: the response is cut`, async t => {
    const { sink, writer } = attached()
    write(text => writer.writeRaw(own(text)))
    await turn()
    writer.write(own('data: own\n\n'))
    writer.finish({ ...END, last: LAST, discards, how: 'end' })
    await turn()
    t.regex(sink.text, /half$/)
    t.is(sink.ending, 'cut')
  })
}

test('a block whose end is thrown away with the queue is unfinished', t => {
  const { sink, writer } = attached({ isReading: false })
  writer.writeRaw(own('data: ' + 'r'.repeat(PIECE_BYTES)))
  writer.writeRaw(own('\ndata: second line'))
  writer.writeRaw(own('\n\n'))
  writer.finish({ ...END, last: LAST, discards: true, how: 'end' })
  sink.take()
  t.is(sink.ending, 'cut')
  t.notRegex(sink.text, /goaway/)
})

test('an application that ends the stream itself in the middle of a block gets what it asked for', async t => {
  const { sink, writer } = attached()
  writer.writeRaw(own('data: half'))
  writer.finish({ ...END, last: LAST, isOwn: true })
  await turn()
  t.is(sink.text, FIRST + 'data: half')
  t.is(sink.ending, 'end')
})

test('a stream that failed is cut behind what was written, without a last block', async t => {
  const { sink, writer, host } = attached()
  writer.write(own('data: before\n\n'))
  writer.finish({ ...END, last: undefined, discards: false, how: 'cut' })
  await turn()
  t.is(sink.text, FIRST + 'data: before\n\n')
  t.is(sink.ending, 'cut')
  t.is(host.told.at(-1), 'ended')
})

test('what ended before it had a sink is sent all the same; what was destroyed is cut', async t => {
  const ended = unattached()
  ended.writer.write(own('data: all\n\n'))
  ended.writer.finish({ ...END, last: LAST })
  ended.attach()
  await turn()
  t.is(ended.sink.text, FIRST + 'data: all\n\nevent: goaway\n\n')
  t.is(ended.sink.ending, 'end')
  const destroyed = unattached()
  destroyed.writer.write(own('data: all\n\n'))
  destroyed.writer.destroy()
  t.is(destroyed.host.bytes, 0)
  destroyed.attach()
  t.is(destroyed.sink.text, FIRST)
  t.is(destroyed.sink.ending, 'cut')
})

test('destroyed is destroyed at once, and tells when nothing is left of the sink', t => {
  const { sink, writer, host } = attached({ isReading: false })
  writer.write(own('x'.repeat(100_000)))
  let closed = 0
  writer.onceClosed(() => (closed += 1))
  t.is(closed, 0)
  writer.destroy()
  t.is(sink.ending, 'destroy')
  t.deepEqual([host.bytes, writer.bufferedBytes, closed], [0, 0, 1])
  writer.onceClosed(() => (closed += 1))
  t.is(closed, 2)
  t.false(writer.isEnded)
})

test('who waits is called back once everything has been taken, and not before', async t => {
  const { sink, writer, host } = attached({ isReading: false })
  writer.write(own('x'.repeat(20_000)))
  writer.callBack()
  sink.take(20_000 - HIGH_WATER_MARK)
  t.deepEqual(host.told, ['waiting'])
  sink.take()
  await turn()
  t.deepEqual(host.told, ['waiting', 'emptied', 'room'])
  writer.write(own('y'))
  sink.take()
  await turn()
  t.deepEqual(host.told, ['waiting', 'emptied', 'room'], 'and not again')
})

test('who waits though nothing does is called back a moment later', async t => {
  const { sink, writer, host } = attached()
  await turn()
  writer.callBack()
  t.deepEqual(host.told, [])
  await turn()
  t.deepEqual(host.told, ['emptied', 'room'])
  t.is(sink.text, FIRST)
})

test('what a stream writes when it is told that everything has been taken goes out', async t => {
  const { sink, writer, host } = attached()
  let left = 3
  Object.assign(host, {
    emptied: () => {
      if (left-- === 0) return
      writer.writeHistory([event(left, `data: page ${left}\n\n`)])
      writer.callBack()
    },
  })
  writer.callBack()
  for (let n = 0; n < 10; n += 1) await turn()
  t.is(sink.text, FIRST + 'data: page 2\n\ndata: page 1\n\ndata: page 0\n\n')
})

test('over the limit nothing of a delivery is written; whoever has taken everything may be given anything', t => {
  const { sink, writer, deliver, host } = attached({ isReading: false })
  const large = 'x'.repeat(5_000)
  t.true(deliver(1, large, 1_000))
  t.is(writer.bufferedBytes, 5_000)
  t.false(deliver(2, 'y', 1_000))
  t.false(deliver(2, 'y', 5_000))
  t.true(deliver(2, 'y', 5_001))
  sink.take()
  t.true(deliver(3, 'z'.repeat(600), 1_000))
  t.true(deliver(4, 'z'.repeat(400), 1_000))
  t.false(deliver(5, 'z', 1_000))
  sink.take()
  t.is(sink.text, `${FIRST}${large}y${'z'.repeat(1_000)}`)
  t.is(host.bytes, 0)
})

test('in which turn everything had been taken is known, however much came in it', t => {
  const { sink, writer } = attached({ isReading: false })
  const [one, two] = [{ now: 1 }, { now: 2 }]
  writer.deliver(batch(1), LIMIT, one)
  writer.deliver(batch(2, 'x'.repeat(PIECE_BYTES)), LIMIT, one)
  writer.deliver(batch(3), LIMIT, two)
  t.is(writer.keptUpIn, one)
  sink.take()
  writer.deliver(batch(4), LIMIT, two)
  t.is(writer.keptUpIn, two)
})

test('a sign of life is sent to a client that waits for nothing, and its time is noted in any case', t => {
  const { sink, writer } = attached({ isReading: false })
  writer.beat(Chunk.of(own(': \n')), 5)
  writer.beat(Chunk.of(own(': \n')), 7)
  t.is(sink.text, FIRST + ': \n')
  t.is(writer.wroteAt, 7)
})

test('what many streams share is handed on as one and the same chunk', t => {
  const chunks: Chunk[] = []
  const shared = batch(1)
  for (let n = 0; n < 2; n += 1) {
    const { sink, writer } = attached()
    sink.send = chunk => void chunks.push(chunk)
    t.true(writer.deliver(shared, LIMIT, { now: 0 }))
  }
  t.is(chunks.length, 2)
  t.is(chunks[0], chunks[1])
})
