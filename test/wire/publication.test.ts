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
      message: /^the first argument of publish\(topics, event\) must be a topic/,
    })
  }
  for (const junk of [[], [null], [7], [{}], ['a', undefined], [['a']], ''])
    t.throws(() => publish(junk), { code: 'ERR_TOPIC_INVALID' })
})

test('an event that is none, has an id or is too large is refused', t => {
  t.throws(() => encodePublication('a', undefined as never, rules), { code: 'ERR_EVENT_INVALID' })
  t.throws(() => publish('a', 'text'), { code: 'ERR_EVENT_INVALID', message: /\{ event, data \}, not string/ })
  t.throws(() => publish('a', { data: 'x', id: '1' }), { code: 'ERR_EVENT_INVALID', message: /omit `id`/ })
  t.throws(() => publish('a', { data: 'x'.repeat(100) }), { code: 'ERR_EVENT_TOO_LARGE' })
})

test('a key is a string of 1 to 256 bytes, and nothing else is taken for an option', t => {
  const key = (value: unknown) => encodePublication('a', event, rules, { key: value as string }).notes.key
  for (const good of ['k', 'order:7', ' ', 'é'.repeat(128), 'x'.repeat(256), undefined]) t.is(key(good), good)
  for (const bad of ['', 'é'.repeat(129), 'x'.repeat(257), '\ud800', 7, null, {}, ['k'], Symbol('k')]) {
    t.throws(() => key(bad), { instanceOf: TypeError, message: /`key` must be a string of 1 to 256 bytes/ })
  }
  for (const junk of [null, 'key', ['k'], { kye: 'k' }]) {
    t.throws(() => encodePublication('a', event, rules, junk as never), { instanceOf: TypeError, message: /`publish`/ })
  }
})

test('a trace is kept where it is one', t => {
  const headers = (traceparent: unknown) =>
    encodePublication('a', event, rules, { traceparent: traceparent as string }).notes.headers
  const good = `00-${'4b'.repeat(16)}-00f067aa0ba902b7-01`
  t.deepEqual(headers(good), { traceparent: good })
  for (const bad of ['', 'x', `${good}\n`, good.toUpperCase(), `ff${good.slice(2)}`, undefined])
    t.is(headers(bad), undefined)
  for (const bad of [7, null, {}]) t.throws(() => headers(bad), { instanceOf: TypeError, message: /`traceparent`/ })
})
