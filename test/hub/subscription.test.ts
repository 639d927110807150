import test from 'ava'
import { readSubscription } from '../../lib/hub/subscription.ts'

const room = { topics: [], maxTopics: 2 }
const plain = (topic: string) => ({ topic, replay: 0, snapshot: undefined, presence: undefined })

test('topics count once, whoever has named them', t => {
  const having = { topics: ['a'], maxTopics: 2 }
  for (const answer of [['a', 'b'], ['b', 'b', 'a'], 'b', { topic: 'b' }, [], undefined]) {
    t.notThrows(() => readSubscription(answer, having))
  }
  t.deepEqual(readSubscription(['a', 'b', 'a'], having), { kind: 'topics', topics: [plain('a'), plain('b')] })
})

test('one topic too many is refused, and the error says where they come from', t => {
  const full = { topics: ['a'], maxTopics: 1 }
  for (const answer of ['b', { topic: 'b' }, ['a', 'b']]) {
    t.throws(() => readSubscription(answer, full), {
      instanceOf: TypeError,
      message: /`limits.topics` allows a stream \(1\), including the 1 it had already subscribed to/,
    })
  }
  t.throws(() => readSubscription(['a', 'b', 'c'], room), { instanceOf: TypeError, message: /`limits.topics`.*\(2\)$/ })
})

test('topics without end are refused, new ones or always the same', t => {
  const endless = function* (same: boolean) {
    for (let n = 0; ; n += 1) yield same ? 'a' : `topic-${String(n)}`
  }
  for (const same of [true, false]) t.throws(() => readSubscription(endless(same), room), { instanceOf: TypeError })
})

test('a snapshot is handed on as it is, and has to be a function', t => {
  const snapshot = () => []
  const resolution = readSubscription(
    [
      { topic: 'a', snapshot },
      { topic: 'b', replay: 3 },
    ],
    room,
  )
  t.deepEqual(resolution, {
    kind: 'topics',
    topics: [
      { topic: 'a', replay: 0, snapshot, presence: undefined },
      { topic: 'b', replay: 3, snapshot: undefined, presence: undefined },
    ],
  })
  for (const wrong of [null, 1, [], 'load', Promise.resolve([])]) {
    const answer = { topic: 'a', snapshot: wrong }
    t.throws(() => readSubscription(answer, room), { instanceOf: TypeError, message: /`snapshot`/ })
  }
})

test('a source is iterated at once, and one that cannot be says why', t => {
  const locked = new ReadableStream()
  locked.getReader()
  t.throws(() => readSubscription(locked, room), { instanceOf: TypeError, message: /cannot be iterated: .*locked/ })
  for (const answer of [undefined, null, 'x', {}, { next: 1 }]) {
    const source = { [Symbol.asyncIterator]: () => answer }
    t.throws(() => readSubscription(source, room), { instanceOf: TypeError, message: /no `next\(\)`/ })
  }
})

test('what throws when it is looked at is an error, and no more', t => {
  const failure = new Error('hostile')
  const hostile = new Proxy(
    {},
    {
      has: () => {
        throw failure
      },
    },
  )
  const getter = {
    get topic(): never {
      throw failure
    },
  }
  for (const answer of [hostile, [hostile], getter, [getter]]) t.throws(() => readSubscription(answer, room))
})
