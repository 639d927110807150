import test from 'ava'
import { encodePublication } from '../../lib/wire/publication.ts'

const rules = { maxEventBytes: 100, redact: undefined }
const event = { event: 'x', data: 1 }
const publish = (topics: unknown, published: unknown = event) =>
  encodePublication(topics as string, published as typeof event, rules)

test('a topic, a list or a set of topics, each kept once', t => {
  t.deepEqual(publish('a').topics, ['a'])
  t.deepEqual(publish(['a', 'b', 'a']).topics, ['a', 'b'])
  t.deepEqual(publish(new Set(['a', 'b'])).topics, ['a', 'b'])
})

test('an event without a topic, or junk for one, is refused with the way to call it', t => {
  for (const junk of [event, {}, undefined, null, 7, true, Symbol('a'), () => 'a']) {
    t.throws(() => publish(junk), {
      code: 'ERR_TOPIC_INVALID',
      message: /^publish\(topics, event\) begins with a topic/,
    })
  }
  for (const junk of [[], [null], [7], [{}], ['a', undefined], [['a']], ''])
    t.throws(() => publish(junk), { code: 'ERR_TOPIC_INVALID' })
})

test('an event that is none, has an id or is too large is refused', t => {
  t.throws(() => encodePublication('a', undefined as never, rules), { code: 'ERR_EVENT_INVALID' })
  t.throws(() => publish('a', 'text'), { code: 'ERR_EVENT_INVALID', message: /\{ event, data \}, not string/ })
  t.throws(() => publish('a', { data: 'x', id: '1' }), { code: 'ERR_EVENT_INVALID', message: /leave `id` out/ })
  t.throws(() => publish('a', { data: 'x'.repeat(100) }), { code: 'ERR_EVENT_TOO_LARGE' })
})
