import test from 'ava'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import fc from 'fast-check'
import { checkEvent, MAX_EVENT_NAME_LENGTH, RESERVED_EVENTS } from '../../lib/wire/event.ts'
import {
  encodeBody,
  encodeComment,
  encodeCursor,
  encodeEvent,
  encodeGap,
  encodeGoaway,
  encodeRetry,
  withId,
} from '../../lib/wire/frame.ts'
import { jitteredRetry, MAX_RETRY, MIN_RETRY } from '../../lib/wire/retry.ts'

const encode = (event: { event?: string; data?: unknown; id?: string }) => encodeEvent(checkEvent(event)).toString()

test('an event is its lines and a blank one', t => {
  const frames: [{ event?: string; data?: unknown; id?: string }, string][] = [
    [{ data: 'hello' }, 'data: hello\n\n'],
    [{ event: 'tick', data: { n: 1 }, id: '7' }, 'id: 7\nevent: tick\ndata: {"n":1}\n\n'],
    [{ event: 'tick' }, 'event: tick\ndata: \n\n'],
    [{ data: '' }, 'data: \n\n'],
    [{ data: ' a' }, 'data:  a\n\n'],
    [{ data: 'a\nb\r\nc\rd' }, 'data: a\ndata: b\ndata: c\ndata: d\n\n'],
    [{ data: 'a\n\n' }, 'data: a\ndata: \ndata: \n\n'],
    [{ data: '\n\r' }, 'data: \ndata: \ndata: \n\n'],
    [
      { data: 'x\nevent: forged\nid: 9\n\ndata: y' },
      'data: x\ndata: event: forged\ndata: id: 9\ndata: \ndata: data: y\n\n',
    ],
    [{ data: 'a\u2028b\u0085c\u000bd' }, 'data: a\u2028b\u0085c\u000bd\n\n'],
    [{ data: '\ufeff😀\ud800' }, 'data: \ufeff😀\ufffd\n\n'],
  ]
  for (const [event, wire] of frames) t.is(encode(event), wire)
})

test('a log puts the id in front of a body that it has encoded before', t => {
  const body = encodeBody(checkEvent({ event: 'tick', data: 'é' }))
  t.is(withId('a-1', body).toString(), 'id: a-1\nevent: tick\ndata: é\n\n')
  t.is(withId('a-2', body).toString(), 'id: a-2\nevent: tick\ndata: é\n\n')
})

test('the library’s own blocks', t => {
  t.is(
    encodeCursor('a-1', { stream: 's', heartbeat: 15_000 }).toString(),
    'id: a-1\nevent: cursor\ndata: {"stream":"s","heartbeat":15000}\n\n',
  )
  t.is(
    encodeCursor(undefined, { stream: 's"\n', heartbeat: null }).toString(),
    'event: cursor\ndata: {"stream":"s\\"\\n","heartbeat":null}\n\n',
  )
  t.is(
    encodeGap({ topics: ['a', 'b"ü'], reason: 'trimmed' }).toString(),
    'event: gap\ndata: {"topics":["a","b\\"ü"],"reason":"trimmed"}\n\n',
  )
  t.is(
    encodeGoaway({ reason: 'drain', retry: 3_000 }).toString(),
    'retry: 3000\nevent: goaway\ndata: {"reason":"drain"}\n\n',
  )
  t.is(
    encodeGoaway({ reason: 'done', retry: undefined, id: '~done' }).toString(),
    'id: ~done\nevent: goaway\ndata: {"reason":"done"}\n\n',
  )
  t.is(encodeGoaway({ reason: 'logout', retry: undefined }).toString(), 'event: goaway\ndata: {"reason":"logout"}\n\n')
})

test('retry and comments are lines of the block that comes next, and no blocks of their own', t => {
  t.is(encodeRetry(3_000).toString(), 'retry: 3000\n')
  t.is(encodeComment('').toString(), ': \n')
  t.is(encodeComment('a\nevent: forged\r\rdata: x').toString(), ': a\n: event: forged\n: \n: data: x\n')
})

/** What somebody else's parser makes of bytes that arrive in pieces. */
function parse(chunks: readonly Uint8Array[]): EventSourceMessage[] {
  const events: EventSourceMessage[] = []
  const parser = createParser({
    onEvent: event => events.push(event),
    onError: error => {
      throw error
    },
  })
  const decoder = new TextDecoder()
  for (const chunk of chunks) parser.feed(decoder.decode(chunk, { stream: true }))
  parser.feed(decoder.decode())
  return events
}

const character = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom('\n', '\r', '\r\n', ' ', ':', 'data: ', '\ufeff', '\u2028', '\0', '😀', '\ud800'),
  },
  fc.string({ unit: 'binary', maxLength: 4 }),
)
const text = fc.array(character, { maxLength: 30 }).map(parts => parts.join(''))
const name = text
  .map(found => found.replace(/[\r\n\0]/g, ''))
  .filter(found => found !== '' && found.length <= MAX_EVENT_NAME_LENGTH && !RESERVED_EVENTS.has(found))
const id = fc.stringMatching(/^[0-9A-Za-z._~-]{1,128}$/)
const event = fc.record({ event: name, data: text, id }, { requiredKeys: ['data'] })

test('every event comes back whole, however its bytes are split', t => {
  const cuts = fc.array(fc.nat(2_000), { maxLength: 12 })
  fc.assert(
    fc.property(fc.array(event, { minLength: 1, maxLength: 4 }), cuts, (events, cuts) => {
      const bytes = Buffer.concat(events.map(found => encodeEvent(checkEvent(found))))
      const edges = [0, ...cuts.map(cut => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
      const chunks = edges.map((edge, index) => bytes.subarray(edge, edges[index + 1]))
      const expected = events.map(({ event, data, id }) => ({
        event: event?.toWellFormed(),
        data: data.replace(/\r\n?/g, '\n').toWellFormed(),
        id,
      }))
      t.deepEqual(parse(chunks), expected)
    }),
    { numRuns: 400 },
  )
})

test('a comment of any text is seen by nobody', t => {
  fc.assert(
    fc.property(text, found => {
      t.deepEqual(parse([encodeComment(found), encodeEvent(checkEvent({ data: 'x' }))]), [
        { event: undefined, data: 'x', id: undefined },
      ])
    }),
  )
})

test('retry is a whole number within bounds, spread over 0.5 to 1.5 of what was asked', t => {
  t.is(jitteredRetry(3_000, { random: () => 0 }), 1_500)
  t.is(jitteredRetry(3_000, { random: () => 0.5 }), 3_000)
  t.is(jitteredRetry(3_001, { random: () => 0.9999 }), 4_501)
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 31 }), random, (ms, random) => {
      const retry = jitteredRetry(ms, { random: () => random })
      t.true(Number.isInteger(retry) && retry >= MIN_RETRY && retry <= MAX_RETRY)
      t.regex(encodeRetry(retry).toString(), /^retry: [0-9]{3,7}\n$/)
    }),
  )
  t.deepEqual([MIN_RETRY, MAX_RETRY], [500, 3_600_000])
})
