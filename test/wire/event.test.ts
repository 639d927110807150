import test from 'ava'
import { EventStreamError } from 'koa-event-stream'
import { checkEvent, checkEventName, MAX_EVENT_NAME_LENGTH } from '../../lib/wire/event.ts'

const refused = { instanceOf: EventStreamError, code: 'ERR_EVENT_INVALID' }
const untyped = (value: unknown) => value as never

test('a name or an id that could end its line is refused', t => {
  for (const bad of ['\n', '\r', '\r\n', '\0', 'a\nb', 'a\rb', 'a\0b', 'a\ndata: forged', '\na', 'a\n']) {
    t.throws(() => checkEvent({ event: bad, data: '' }), refused, JSON.stringify(bad))
    t.throws(() => checkEvent({ id: bad, data: '' }), refused, JSON.stringify(bad))
  }
})

const reserved = ['cursor', 'gap', 'goaway', 'heartbeat', 'presence', 'error', 'open']

test('a name that the library or EventSource uses is refused, and the error says whose it is', t => {
  for (const name of reserved) {
    const whose =
      name === 'error' || name === 'open'
        ? /EventSource dispatches its own event/
        : /the library uses it for its own events/
    t.regex(t.throws(() => checkEventName(name), refused).message, whose)
  }
})

test('a field that no event has is refused by its name, and the error says what is meant', t => {
  const fields: [field: string, meant: RegExp][] = [
    ['type', /"type": use `event`/],
    ['name', /use `event`/],
    ['payload', /use `data`/],
    ['body', /use `data`/],
    ['message', /use `data`/],
    ['lastEventId', /use `id`/],
    ['retry', /the option `retry` of eventStream\(\)/],
    ['comment', /stream.comment\(\)/],
    ['topic', /the first argument of publish\(topics, event\)/],
    ['topics', /the first argument of publish\(topics, event\)/],
    ['constructor', /"constructor"; the fields are `event`, `data` and `id`/],
    ['a\nb', /"a\\nb"; the fields are/],
  ]
  for (const [field, meant] of fields) {
    t.regex(t.throws(() => checkEvent({ data: 'x', [field]: 1 }), refused).message, meant)
  }
})

test('a promise in place of an event or of its data is refused, and ignored', async t => {
  const failing = () => Promise.reject(new Error('late'))
  const data: unknown[] = [failing(), Promise.resolve(1), { toJSON: failing }, { then: () => undefined }]
  for (const promise of data) t.regex(t.throws(() => checkEvent({ data: promise }), refused).message, /await it first/)
  t.regex(t.throws(() => checkEvent(untyped(failing())), refused).message, /await it first/)
  await new Promise(setImmediate)
})

test('`redact` has to answer at once, with something that JSON can hold', async t => {
  const answers = [() => Promise.resolve({}), () => Promise.reject(new Error('late')), () => undefined, () => () => 1]
  for (const redact of answers) t.throws(() => checkEvent({ data: {} }, redact), refused)
  await new Promise(setImmediate)
})

test('a field is read once: what a getter answers later does not get on the wire', t => {
  const answers = ['fine', 'a\ndata: forged']
  const sly = {
    get event(): string {
      return answers.shift() ?? ''
    },
  }
  t.is(checkEvent(sly).event, 'fine')
  t.is(answers.length, 1)
})

test('a name is a string of 1 to 256 characters that the library does not use itself', t => {
  for (const bad of ['', ...reserved, 'x'.repeat(MAX_EVENT_NAME_LENGTH + 1), null, 1, {}, ['a']]) {
    t.throws(() => checkEvent({ event: untyped(bad), data: '' }), refused, JSON.stringify(bad))
    t.throws(() => checkEventName(bad), refused)
  }
  for (const good of ['x', 'Cursor', 'a b', ' a ', 'preis: €', 'data: x', 'x'.repeat(MAX_EVENT_NAME_LENGTH)]) {
    t.is(checkEvent({ event: good }).event, good)
  }
})

test('a string goes out as it is, anything else as JSON', t => {
  const data: [unknown, string][] = [
    ['', ''],
    ['"quoted"', '"quoted"'],
    [{ a: [1, null] }, '{"a":[1,null]}'],
    ['a\nb', 'a\nb'],
    [{ a: 'b\nc' }, '{"a":"b\\nc"}'],
    [null, 'null'],
    [0, '0'],
    [false, 'false'],
    [NaN, 'null'],
    [new Date(0), '"1970-01-01T00:00:00.000Z"'],
  ]
  for (const [given, text] of data) t.is(checkEvent({ data: given }).data, text)
})

test('without data an event arrives as an empty string, if it has a name', t => {
  t.deepEqual(checkEvent({ event: 'tick' }), { event: 'tick', data: '', id: undefined })
  t.deepEqual(checkEvent({ event: 'tick', data: undefined }), { event: 'tick', data: '', id: undefined })
  for (const empty of [{}, { data: undefined }, { id: '1' }]) t.throws(() => checkEvent(empty), refused)
})

test('data that JSON cannot hold is refused, with the cause', t => {
  const circular: Record<string, unknown> = {}
  circular.self = circular
  const angry = {
    toJSON: () => {
      throw new RangeError('not me')
    },
  }
  for (const data of [() => 'x', Symbol('x'), { toJSON: () => undefined }])
    t.throws(() => checkEvent({ data }), refused)
  for (const data of [circular, { n: 1n }, angry]) t.truthy(t.throws(() => checkEvent({ data }), refused).cause)
})

test('what is no event at all is refused', t => {
  for (const bad of [undefined, null, 'text', 1, [], [{ data: 'x' }], () => ({ data: 'x' })])
    t.throws(() => checkEvent(untyped(bad)), refused)
})
