import test from 'ava'
import { TopicCursors } from '../../lib/hub/feed/cursors.ts'

function cursorsOf(...topics: string[]): TopicCursors {
  const cursors = new TopicCursors()
  for (const topic of topics) cursors.add(topic)
  return cursors
}

test('a topic that is further than the others is before nothing that it has had', t => {
  const cursors = cursorsOf('a', 'b')
  cursors.moveTo(5)
  cursors.advance('a', 8)
  t.deepEqual([cursors.placeOf('a'), cursors.placeOf('b')], [8, 5])
  t.deepEqual([cursors.isBefore(7, 'a'), cursors.isBefore(7, 'b')], [false, true])
  cursors.moveTo(10)
  t.deepEqual([cursors.placeOf('a'), cursors.placeOf('b')], [10, 10])
})

test('a log that stands before what has been sent brings no topic back', t => {
  const cursors = cursorsOf('a', 'b')
  cursors.moveTo(10)
  // An event of several topics that has not come on all of them yet holds the log's own place back.
  cursors.moveTo(9)
  t.false(cursors.isBefore(10, 'a'))
  t.is(cursors.placeOf('b'), 10)
})

test('of a stream without topics no place is left: the log may begin anew, and nobody tells it', t => {
  const cursors = cursorsOf('a', 'b')
  cursors.moveTo(10)
  cursors.advance('b', 12)
  cursors.delete('a')
  cursors.delete('b')
  cursors.moveTo(11)
  cursors.add('c')
  t.true(cursors.isBefore(0, 'c'))
  cursors.moveTo(3)
  t.is(cursors.placeOf('c'), 3)
})

test('a log that begins anew puts all topics to its beginning', t => {
  const cursors = cursorsOf('a', 'b')
  cursors.moveTo(10)
  cursors.advance('a', 12)
  cursors.restart(3)
  t.deepEqual([cursors.placeOf('a'), cursors.placeOf('b')], [3, 3])
})
