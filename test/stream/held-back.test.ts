import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import { simulated } from './simulated.ts'

const KILOBYTES_10 = 'x'.repeat(10_000)
const EVENT = Buffer.from(`id: a-1\ndata: ${KILOBYTES_10}\n\n`)

/** Whether a promise has been settled by the end of this turn. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false
  void promise.then(() => (settled = true))
  await turn()
  return settled
}

test('what is sent while an application is in the middle of a block follows the block', async t => {
  const { stream, sink, attach } = simulated()
  await attach()
  stream.write('data: half')
  void stream.send({ data: 'own' })
  stream.comment('note')
  t.is(sink.text, 'data: half')
  stream.write(' whole\n\ndata: next')
  sink.take()
  t.is(sink.text, 'data: half whole\n\ndata: own\n\n: note\ndata: next')
})

test('an application goes on with its block, however much waits behind it', async t => {
  const { stream, writer, sink, attach } = simulated()
  await attach()
  stream.write('data: a')
  for (let n = 0; n < 3; n += 1) writer.writeHistory([{ frame: EVENT }])
  stream.write('b')
  await turn()
  sink.take()
  stream.write('c\n\n')
  await turn()
  sink.take()
  await turn()
  sink.take()
  t.is(sink.text, `data: abc\n\n${EVENT.toString().repeat(3)}`)
})

test('a sender that waits behind history or behind a block hears when that has gone out', async t => {
  for (const hold of ['history', 'block'] as const) {
    const { stream, writer, sink, attach } = simulated()
    await attach()
    sink.isFast = true
    if (hold === 'history') writer.holdBehindHistory()
    else stream.write('data: half')
    const sent = Promise.all([1, 2, 3].map(() => stream.send({ data: KILOBYTES_10 })))
    const written = new Promise(resolve => {
      if (hold === 'history') stream.write(`data: ${KILOBYTES_10}\n\n`, resolve)
      else resolve(undefined)
    })
    await turn()
    sink.take()
    t.false(await isSettled(sent), hold)
    if (hold === 'history') writer.releaseBehindHistory()
    else stream.write('\n\n')
    for (let n = 0; n < 5; n += 1) {
      await turn()
      sink.take()
    }
    t.true(await isSettled(sent), hold)
    t.true(await isSettled(written), hold)
  }
})

test('while events are held back behind a block, nobody is told that the client has taken everything', async t => {
  const { stream, writer, sink, told, attach } = simulated()
  await attach()
  stream.write('data: half')
  writer.writeHistory([{ frame: EVENT }])
  writer.callBack()
  const { writes } = sink
  for (let n = 0; n < 5; n += 1) {
    await turn()
    sink.take()
  }
  t.is(told.emptied, 0)
  t.false(writer.isIdle)
  t.true(sink.writes <= writes + 2, 'it is not asked on and on')
  stream.write('\n\n')
  for (let n = 0; n < 5; n += 1) {
    await turn()
    sink.take()
  }
  t.is(told.emptied, 1)
  t.is(sink.text, `data: half\n\n${EVENT.toString()}`)
})

test('a stream that is over keeps nothing that is still written to it', async t => {
  const { stream, writer, sink, told, attach } = simulated({ flush: () => stream.abandon('slow') })
  await attach()
  void stream.send({ data: 'x' })
  stream.comment('x')
  stream.write('data: x\n\n')
  writer.write(EVENT)
  writer.writeRaw(EVENT)
  writer.writeHistory([{ frame: EVENT }])
  t.is(sink.how, 'destroy')
  t.is(told.kept, 0)
  t.is(writer.bufferedBytes, 0)
  t.is(sink.text, '')
})

test('a stream that ends in the middle of a block is cut without a last block, and sends nothing held back', async t => {
  for (const [write, expected, how] of [
    ['data: half', 'data: half', 'cut'],
    ['data: a line\n', 'data: a line\n', 'cut'],
    [': half a comment', ': half a comment', 'cut'],
    ['data: whole\n\n', 'data: whole\n\ndata: own\n\nevent: goaway\n\n', 'end'],
    ['data: whole\r\n\r\n', 'data: whole\r\n\r\ndata: own\n\nevent: goaway\n\n', 'end'],
    [': comment\n', ': comment\ndata: own\n\nevent: goaway\n\n', 'end'],
  ] as const) {
    const { stream, sink, told, attach } = simulated()
    await attach()
    stream.write(write)
    sink.take()
    void stream.send({ data: 'own' })
    sink.take()
    stream.close()
    sink.take()
    t.is(sink.text, expected)
    t.is(sink.how, how, write)
    t.is(told.kept, 0, write)
  }
})

test('an application that ends its own stream in the middle of a block has ended it properly', async t => {
  const { stream, sink, attach } = simulated()
  await attach()
  stream.end('data: half')
  sink.take()
  t.deepEqual([sink.text, sink.how], ['data: half', 'end'])
})

test('half an event that has begun to go out is finished when a right is lost, and whole ones are thrown away', async t => {
  const { stream, writer, sink, attach } = simulated()
  await attach()
  const frame = Buffer.from(`id: a-1\ndata: ${'x'.repeat(100_000)}\n\n`)
  writer.writeHistory([{ frame }, { frame: Buffer.from('id: a-2\ndata: secret\n\n') }])
  void stream.send({ data: 'secret' })
  stream.close('logout')
  for (let n = 0; n < 4; n += 1) sink.take()
  t.is(sink.text, `${frame.toString()}event: goaway\n\n`)
  t.is(sink.how, 'end')
})
