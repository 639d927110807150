// The public methods of one stream, all against the same stub of its hub.
import { once } from 'node:events'
import { PassThrough, Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import test from 'ava'
import { EventStream, EventStreamError, type EventMap } from 'koa-event-stream'
import { systemClock } from '../../lib/clock.ts'
import type { StreamConnection, StreamHost } from '../../lib/stream/stream-host.ts'

/** A stream in a hub that only notes what it is told. */
function openStream(options: Partial<StreamHost> = {}) {
  const told: string[] = []
  const kept = { bytes: 0 }
  const host: StreamHost = {
    clock: systemClock,
    isOpening: false,
    hasTopics: false,
    bufferBytes: 100_000,
    redact: undefined,
    maxEventBytes: 1_000,
    encode: sink => sink,
    firstBytes: () => Buffer.from('retry: 3000\n'),
    lastBlock: reason => Buffer.from(`event: goaway\ndata: ${reason}\n\n`),
    mustCut: reason => reason === 'error',
    flush: () => undefined,
    subscribe: async topics => void told.push(`subscribe ${topics.join()}`),
    unsubscribe: topics => void told.push(`unsubscribe ${topics.join()}`),
    waiting: () => undefined,
    sent: () => undefined,
    kept: bytes => void (kept.bytes += bytes),
    emptied: () => undefined,
    closing: reason => void told.push(`closing ${reason}`),
    closed: () => void told.push('closed'),
    ...options,
  }
  const stream = new EventStream<EventMap, undefined>({ identity: undefined, lastEventId: 'a-1' }, host)
  return { stream, told, kept }
}

/** What carries a stream, and notes what it is told. */
function connectionOf(stream: EventStream<EventMap, undefined>, reason: 'client' | 'replaced' = 'client') {
  const told: string[] = []
  const connection: StreamConnection = {
    whyEnded: () => reason,
    failed: error => void told.push(`failed ${error.message}`),
    cut: () => void told.push('cut'),
    isGone: false,
    pendingBytes: 0,
    progress: 0,
    onceGone: listener => {
      queueMicrotask(listener)
    },
  }
  stream.connection = connection
  return told
}

const text = async (stream: Readable) => (await buffer(stream)).toString()
const turn = () => new Promise<void>(resolve => void setImmediate(resolve))

test('events, comments and bytes go out in their order, and nothing can break out of its field', async t => {
  const { stream, told, kept } = openStream()
  t.true(await stream.send({ event: 'tick', data: { n: 1 }, id: '7' }))
  stream.comment('a\ndata: forged')
  stream.write('retry: 1000\n\n')
  t.true(await stream.send({ data: 'a\r\nevent: forged' }))
  for (const bad of [{ event: 'a\nb', data: '' }, { data: 'x', id: 'a\r\nb' }, { event: 'cursor' }, {}]) {
    await t.throwsAsync(stream.send(bad), { instanceOf: EventStreamError, code: 'ERR_EVENT_INVALID' })
  }
  await t.throwsAsync(stream.send({ data: 'x'.repeat(1_000) }), { code: 'ERR_EVENT_TOO_LARGE' })
  stream.close()
  t.is(
    await text(stream),
    'retry: 3000\n' +
      'id: 7\nevent: tick\ndata: {"n":1}\n\n' +
      ': a\n: data: forged\n' +
      'retry: 1000\n\n' +
      'data: a\ndata: event: forged\n\n' +
      'event: goaway\ndata: server\n\n',
  )
  t.deepEqual(told, ['closing server', 'closed'])
  t.is(kept.bytes, 0)
})

test('what is due is flushed before anything that is sent, written or said', t => {
  let flushed = 0
  const { stream } = openStream({ flush: () => void (flushed += 1) })
  void stream.send({ data: 'x' })
  t.is(flushed, 1)
  stream.comment('x')
  t.is(flushed, 2)
  stream.write('data: x\n\n')
  t.is(flushed, 3)
  stream.close('logout')
  t.is(flushed, 3, 'nothing more is for a client that has lost its rights')
})

test('where ids are the hub’s, an event has none of its own', async t => {
  const { stream } = openStream({ hasTopics: true })
  await t.throwsAsync(stream.send({ data: 'x', id: '7' }), { code: 'ERR_EVENT_INVALID' })
  t.false(stream.hasOwnIds)
  t.true(await stream.send({ data: 'x' }))
  const { stream: without } = openStream()
  t.true(await without.send({ data: 'x', id: '7' }))
  t.true(without.hasOwnIds)
})

test('while it is opened send waits for nobody, and what is over the bound fails the resolver', async t => {
  const { stream, told } = openStream({ isOpening: true, maxEventBytes: 90_000 })
  const data = 'x'.repeat(80_000)
  t.true(await stream.send({ data }))
  t.false(await stream.send({ data }))
  t.like(stream.errored, { code: 'ERR_EVENT_TOO_LARGE' })
  t.is(told[0], 'closing error')
})

test('send waits for room, and answers false when the stream closes meanwhile', async t => {
  const { stream } = openStream({ maxEventBytes: 50_000 })
  const data = 'x'.repeat(20_000)
  const settled: boolean[] = []
  const sending = stream.send({ data }).then(hasRoom => settled.push(hasRoom))
  await turn()
  t.deepEqual(settled, [])
  t.true(stream.bufferedBytes > data.length)
  const reading = (async () => {
    const chunks: Buffer[] = []
    for await (const chunk of stream) chunks.push(chunk as Buffer)
    return Buffer.concat(chunks).toString()
  })()
  await sending
  t.deepEqual(settled, [true])
  await turn()
  t.is(stream.bufferedBytes, 0)
  const waiting = stream.send({ data })
  stream.close()
  t.false(await waiting)
  t.is(await reading, `retry: 3000\n${`data: ${data}\n\n`.repeat(2)}event: goaway\ndata: server\n\n`)
})

test('a write waits until there is room, and what is sent meanwhile comes behind it', async t => {
  const { stream } = openStream()
  const pieces = ['a', 'b', 'c'].map(letter => `data: ${letter.repeat(20_000)}\n\n`)
  const done: number[] = []
  for (const [n, piece] of pieces.entries()) stream.write(piece, () => done.push(n))
  await turn()
  t.deepEqual(done, [])
  t.is(stream.bufferedBytes, pieces.join('').length)
  stream.comment('behind')
  stream.close()
  t.is(await text(stream), `retry: 3000\n${pieces.join('')}: behind\nevent: goaway\ndata: server\n\n`)
  t.deepEqual(done, [0, 1, 2])
})

test('a closed stream takes nothing more, and says so at once', async t => {
  const { stream, told } = openStream()
  const signal = stream.signal
  t.false(signal.aborted)
  stream.close('done')
  t.is(signal.reason, 'done')
  stream.resume()
  await once(stream, 'close')
  t.false(await stream.send({ data: 'x' }))
  await t.throwsAsync(stream.send({}), { code: 'ERR_EVENT_INVALID' })
  stream.comment('x')
  stream.close('logout')
  await t.throwsAsync(stream.subscribe('a'), { code: 'ERR_STREAM_CLOSED' })
  t.is(stream.closeReason, 'done')
  t.deepEqual(told, ['closing done', 'closed'])
  const { stream: other } = openStream()
  other.close('logout')
  t.is(other.signal.reason, 'logout', 'also where the signal is asked for later')
})

test('whoever has lost the right to read gets nothing that waits, and is told why', async t => {
  const { stream } = openStream()
  void stream.send({ data: 'secret' })
  stream.close('revoked')
  t.is(await text(stream), 'retry: 3000\nevent: goaway\ndata: revoked\n\n')
})

test('over the bound of the buffer the client is too slow, except with a single large piece', async t => {
  const { stream, told } = openStream({ bufferBytes: 1_000 })
  const connection = connectionOf(stream)
  stream.offer(Buffer.alloc(5_000, '.'))
  t.is(stream.closeReason, undefined)
  stream.read()
  await turn()
  stream.read()
  t.is(stream.bufferedBytes, 0)
  stream.offer(Buffer.alloc(600, '.'))
  stream.offer(Buffer.alloc(400, '.'))
  t.is(stream.closeReason, undefined)
  stream.offer(Buffer.alloc(1, '.'))
  t.is(stream.closeReason, 'slow')
  t.true(stream.destroyed)
  t.is(told[0], 'closing slow')
  t.deepEqual(connection, ['cut'])
})

test('a stream that the application ends, or pipes to its end, is done', async t => {
  const ended = openStream()
  ended.stream.end('data: bye\n\n')
  t.false(await ended.stream.send({ data: 'late' }))
  ended.stream.comment('late')
  t.is(await text(ended.stream), 'retry: 3000\ndata: bye\n\nevent: goaway\ndata: done\n\n')
  t.deepEqual(ended.told, ['closing done', 'closed'])
  const piped = openStream()
  Readable.from(['data: 1\n\n', 'data: 2\n\n']).pipe(piped.stream)
  t.is(await text(piped.stream), 'retry: 3000\ndata: 1\n\ndata: 2\n\nevent: goaway\ndata: done\n\n')
  t.is(piped.stream.closeReason, 'done')
})

test('a stream that is ended in the middle of a block ends there; one that is closed there is cut', async t => {
  const ended = openStream()
  ended.stream.end('data: half')
  t.is(await text(ended.stream), 'retry: 3000\ndata: half')
  const closed = openStream()
  const connection = connectionOf(closed.stream)
  const read: string[] = []
  closed.stream.on('data', chunk => read.push(String(chunk)))
  closed.stream.write('data: half')
  closed.stream.close()
  await turn()
  await turn()
  t.is(read.join(''), 'retry: 3000\ndata: half')
  t.deepEqual(connection, ['cut'])
})

test('a stream that is destroyed has lost its client, or has failed', async t => {
  const left = openStream()
  const replaced = connectionOf(left.stream, 'replaced')
  left.stream.destroy()
  await once(left.stream, 'close')
  t.deepEqual(left.told, ['closing replaced', 'closed'])
  t.deepEqual(replaced, [])
  const failed = openStream()
  const connection = connectionOf(failed.stream)
  failed.stream.destroy(new Error('broken'))
  await t.throwsAsync(once(failed.stream, 'close'), { message: 'broken' })
  t.is(failed.stream.closeReason, 'error')
  t.deepEqual(connection, ['failed broken'])
})

test('what is written after the stream has closed is dropped, and is no error', async t => {
  const { stream, told } = openStream()
  stream.write('data: 1\n\n')
  stream.close()
  const dropped = new Promise(resolve => {
    t.false(stream.write('data: late\n\n', resolve))
  })
  t.false(stream.write('data: later\n\n'))
  t.like(await dropped, { code: 'ERR_STREAM_CLOSED' })
  t.is(await text(stream), 'retry: 3000\ndata: 1\n\nevent: goaway\ndata: server\n\n')
  t.deepEqual(told, ['closing server', 'closed'])
})

test('piped into something that is no response it is read, and ends it', async t => {
  const { stream, told } = openStream()
  const through = new PassThrough()
  stream.pipe(through)
  void stream.send({ data: 'x' })
  stream.close()
  t.is(await text(through), 'retry: 3000\ndata: x\n\nevent: goaway\ndata: server\n\n')
  t.deepEqual(told, ['closing server', 'closed'])
})

test('its id is made when somebody asks for it, by the clock, and stays', t => {
  let made = 0
  const { stream } = openStream({ clock: { ...systemClock, id: () => `id-${++made}` } })
  t.is(made, 0)
  t.is(stream.id, 'id-1')
  t.is(stream.id, 'id-1')
})
