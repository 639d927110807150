import test from 'ava'
import { createParser } from 'eventsource-parser'
import fc from 'fast-check'
import { BlockTracker } from '../../lib/wire/block.ts'

/** Follows pieces one after another, and answers what was said of each, and of the end. */
function follow(...pieces: readonly string[]): [ends: number[], isBetween: boolean] {
  const tracker = new BlockTracker()
  const ends = pieces.map(piece => tracker.follow(Buffer.from(piece)))
  return [ends, tracker.isBetween]
}

test('a block begins with a field and ends with a blank line', t => {
  t.true(new BlockTracker().isBetween)
  t.deepEqual(follow('data: x\n\n'), [[9], true])
  t.deepEqual(follow('data: x\n'), [[-1], false])
  t.deepEqual(follow('data: x'), [[-1], false])
  t.deepEqual(follow('\n\n'), [[2], true])
  t.deepEqual(follow(''), [[-1], true])
  t.deepEqual(follow('retry: 1\n'), [[-1], false], 'a retry belongs to the block that comes next')
  t.deepEqual(follow('nonsense\n\n'), [[10], true])
})

test('the last place between two blocks is told, however much follows', t => {
  t.deepEqual(follow('data: x\n\ndata: y\n\nid: 1\ndata'), [[18], false])
  t.deepEqual(follow('data: x\n', '\ndata: y'), [[-1, 1], false])
  t.deepEqual(follow('data: x\n', 'id: 1\n', '\n'), [[-1, -1, 1], true])
})

test('comments may stand between blocks, whole ones alone', t => {
  t.deepEqual(follow(': a\n'), [[4], true])
  t.deepEqual(follow(': a\n: b\n'), [[8], true])
  t.deepEqual(follow(': a'), [[-1], false])
  t.deepEqual(follow(': a', '\n'), [[-1, 1], true])
  t.deepEqual(follow(':\ndata: x\n'), [[2], false])
  t.deepEqual(follow('data: x\n: a\n'), [[-1], false], 'a comment inside a block does not end it')
  t.deepEqual(follow('data: x\n: a\n\n'), [[13], true])
})

test('lines end with LF, CR or both, also where the two come apart', t => {
  for (const end of ['\n', '\r', '\r\n']) {
    const block = `data: x${end}${end}`
    t.deepEqual(follow(block), [[block.length], true], JSON.stringify(end))
    t.deepEqual(follow(`data: x${end}`), [[-1], false], JSON.stringify(end))
  }
  t.deepEqual(follow('data: x\r', '\n'), [[-1, -1], false])
  t.deepEqual(follow('data: x\r', '\n\r', '\n'), [[-1, 2, 1], true])
  t.deepEqual(follow('data: x\r\n\r'), [[10], true])
  t.deepEqual(follow('data: x\n\r'), [[9], true], 'LF and CR are two line ends')
})

test('bytes of a character that are split, and bytes that are none, are bytes of the line', t => {
  const tracker = new BlockTracker()
  t.is(tracker.follow(Buffer.from([0x64, 0xe2, 0x82])), -1)
  t.is(tracker.follow(Buffer.from([0xac, 0x0a, 0x0a, 0xff])), 3)
  t.false(tracker.isBetween)
})

const character = fc.constantFrom('\n', '\n', '\r', '\r\n', ':', 'data: x', 'id: 1', 'é')

test('however bytes are split, somebody else’s parser takes an event at any place that is told as one of its own', t => {
  fc.assert(
    fc.property(fc.array(fc.array(character, { maxLength: 6 }), { maxLength: 8 }), parts => {
      const pieces = parts.map(part => Buffer.from(part.join('')))
      const tracker = new BlockTracker()
      const whole = new BlockTracker()
      const all = Buffer.concat(pieces)
      whole.follow(all)
      let before = 0
      for (const piece of pieces) {
        const end = tracker.follow(piece)
        if (end !== -1) {
          const events: unknown[] = []
          const parser = createParser({ onEvent: ({ event, data }) => events.push([event, data]) })
          parser.feed(`${all.subarray(0, before + end).toString()}event: ours\ndata: whole\n\n`)
          t.deepEqual(events.at(-1), ['ours', 'whole'])
        }
        before += piece.length
      }
      t.is(tracker.isBetween, whole.isBetween)
    }),
    { numRuns: 500 },
  )
})
