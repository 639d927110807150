import test from 'ava'
import fc from 'fast-check'
import { EventStreamError } from 'koa-event-stream'
import { checkEventId, formatPosition, MAX_ID_LENGTH, parseCursor } from '../../lib/wire/cursor.ts'

// What is allowed on the wire, stated once more here.
const ID = /^[0-9A-Za-z._~-]{1,128}$/

const epoch = fc.stringMatching(/^[0-9A-Za-z._~]{1,64}$/)
const seq = fc.maxSafeNat()

test('a position survives the way to the client and back', t => {
  fc.assert(
    fc.property(epoch, seq, (epoch, seq) => {
      const id = formatPosition(epoch, seq)
      t.regex(id, ID)
      t.deepEqual(parseCursor(id), { epoch, seq })
    }),
  )
  t.is(formatPosition('a1b2', 0), 'a1b2-0')
})

test('nothing, or an id that was reset, is a newcomer', t => {
  t.is(parseCursor(undefined), undefined)
  t.is(parseCursor(''), undefined)
})

test('an id that the log has never given out is unknown', t => {
  const foreign = [
    'x',
    '-',
    'a-',
    '-1',
    'a-01',
    'a-1 ',
    ' a-1',
    'a-1\n',
    'a-1\0',
    'a--1',
    'a-+1',
    'a-1e3',
    'a-0x1',
    'a-1.5',
    'a-١',
    'a-b-1',
    'ä-1',
    'a/b-1',
    'a-1,a-1',
    'a-9007199254740992',
    'a-99999999999999999',
    `${'a'.repeat(65)}-1`,
    'a'.repeat(MAX_ID_LENGTH + 1),
    '__proto__',
  ]
  for (const id of foreign) t.is(parseCursor(id), 'unknown', JSON.stringify(id))
  t.deepEqual(parseCursor('a-9007199254740991'), { epoch: 'a', seq: Number.MAX_SAFE_INTEGER })
})

test('whatever a client sends is read as something', t => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), id => {
      const cursor = parseCursor(id)
      if (typeof cursor === 'object') t.is(formatPosition(cursor.epoch, cursor.seq), id)
      else t.is(cursor, id === '' ? undefined : 'unknown')
    }),
  )
})

test('an application can choose no id that is not safe on the wire', t => {
  const anything = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 140 }),
    fc.stringMatching(/^[0-9A-Za-z._~ \n-]{0,140}$/),
    fc.anything(),
  )
  fc.assert(
    fc.property(anything, id => {
      if (typeof id === 'string' && ID.test(id)) t.is(checkEventId(id), id)
      else t.throws(() => checkEventId(id), { instanceOf: EventStreamError, code: 'ERR_EVENT_INVALID' })
    }),
    { numRuns: 500 },
  )
  t.is(checkEventId('-'.repeat(MAX_ID_LENGTH)).length, MAX_ID_LENGTH)
  t.throws(() => checkEventId('-'.repeat(MAX_ID_LENGTH + 1)), { code: 'ERR_EVENT_INVALID' })
})
