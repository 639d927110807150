import { once } from 'node:events'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import test from 'ava'
import { EventStream, EventStreamError, type EventMap } from 'koa-event-stream'
import type { StreamHost } from '../../lib/stream/event-stream.ts'

/** A stream in a hub that only notes what it is told. */
function openStream(options: Partial<Pick<StreamHost, 'hasTopics' | 'bufferBytes' | 'maxEventBytes'>> = {}) {
  const told: string[] = []
  const host: StreamHost = {
    isOpening: false,
    hasTopics: false,
    bufferBytes: 100_000,
    redact: undefined,
    maxEventBytes: 1_000,
    now: () => 0,
    flush: () => undefined,
    subscribe: async topics => void told.push(`subscribe ${topics.join()}`),
    unsubscribe: topics => void told.push(`unsubscribe ${topics.join()}`),
    closing: reason => void told.push(`closing ${reason}`),
    closed: () => void told.push('closed'),
    ...options,
  }
  const stream = new EventStream<EventMap, undefined>({ identity: undefined, lastEventId: 'a-1' }, host)
  return { stream, told }
}

const text = async (stream: Readable) => (await buffer(stream)).toString()

test('events, comments and bytes go out in their order, and nothing can break out of its field', async t => {
  const { stream, told } = openStream()
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
    'id: 7\nevent: tick\ndata: {"n":1}\n\n: a\n: data: forged\n\nretry: 1000\n\ndata: a\ndata: event: forged\n\n',
  )
  t.deepEqual(told, ['closing server', 'closed'])
})

test('where ids are the hub’s, an event has none of its own', async t => {
  const { stream } = openStream({ hasTopics: true })
  await t.throwsAsync(stream.send({ data: 'x', id: '7' }), { code: 'ERR_EVENT_INVALID' })
  t.true(await stream.send({ data: 'x' }))
})

test('send waits for room, and answers false when the stream closes meanwhile', async t => {
  const { stream } = openStream({ maxEventBytes: 50_000 })
  const data = 'x'.repeat(20_000)
  const settled: boolean[] = []
  const sending = stream.send({ data }).then(hasRoom => settled.push(hasRoom))
  await new Promise(setImmediate)
  t.deepEqual(settled, [])
  t.true(stream.bufferedBytes > data.length)
  stream.read()
  await sending
  t.deepEqual(settled, [true])
  t.is(stream.bufferedBytes, 0)
  const waiting = stream.send({ data })
  stream.close()
  stream.resume()
  t.false(await waiting)
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

test('over the bound of the buffer the client is too slow, except with a single large piece', t => {
  const { stream, told } = openStream({ bufferBytes: 1_000 })
  stream.offer(Buffer.alloc(5_000))
  t.is(stream.closeReason, undefined)
  stream.read()
  stream.offer(Buffer.alloc(600))
  stream.offer(Buffer.alloc(400))
  t.is(stream.closeReason, undefined)
  t.false(stream.offer(Buffer.alloc(1)))
  t.is(stream.closeReason, 'slow')
  t.true(stream.destroyed)
  t.is(told[0], 'closing slow')
})

test('what has left the process only grows, whatever is offered', t => {
  const { stream } = openStream()
  stream.offer(Buffer.alloc(40_000))
  stream.offer(Buffer.alloc(10))
  t.is(stream.deliveredBytes, 0)
  stream.offer(Buffer.alloc(20))
  t.is(stream.deliveredBytes, 0)
  t.is(stream.bufferedBytes, 40_030)
  stream.read(30_000)
  t.is(stream.deliveredBytes, 30_000)
  t.is(stream.bufferedBytes, 10_030)
})

test('a stream that the application ends, or pipes to its end, is done', async t => {
  const ended = openStream()
  ended.stream.end('data: bye\n\n')
  t.false(await ended.stream.send({ data: 'late' }))
  ended.stream.comment('late')
  t.is(await text(ended.stream), 'data: bye\n\n')
  t.deepEqual(ended.told, ['closing done', 'closed'])
  const piped = openStream()
  Readable.from(['data: 1\n\n', 'data: 2\n\n']).pipe(piped.stream)
  t.is(await text(piped.stream), 'data: 1\n\ndata: 2\n\n')
  t.is(piped.stream.closeReason, 'done')
})

test('a stream that is destroyed has lost its client, or has failed', async t => {
  const left = openStream()
  left.stream.destroy()
  await once(left.stream, 'close')
  t.deepEqual(left.told, ['closing client', 'closed'])
  const failed = openStream()
  failed.stream.destroy(new Error('broken'))
  await t.throwsAsync(once(failed.stream, 'close'), { message: 'broken' })
  t.is(failed.stream.closeReason, 'error')
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
  t.is(await text(stream), 'data: 1\n\n')
  t.deepEqual(told, ['closing server', 'closed'])
})
