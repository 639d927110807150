import test from 'ava'
import { createParser } from 'eventsource-parser'
import fc from 'fast-check'
import { createParser as createOurs } from '../../lib/client/parser.ts'

interface Block {
  event: string
  data: string | undefined
  id: string | undefined
}

function parse(...pieces: string[]): { blocks: Block[]; retries: number[] } {
  const blocks: Block[] = []
  const retries: number[] = []
  const take = createOurs(
    (event, data, id) => blocks.push({ event, data, id }),
    ms => retries.push(ms),
  )
  for (const piece of pieces) take(piece)
  return { blocks, retries }
}

const cases: [title: string, text: string, blocks: Block[]][] = [
  ['data alone is an empty message', 'data\n\n', [{ event: 'message', data: '', id: undefined }]],
  ['lines of data are joined', 'data: a\ndata:b\n\n', [{ event: 'message', data: 'a\nb', id: undefined }]],
  ['one space after the colon is dropped', 'data:  a \n\n', [{ event: 'message', data: ' a ', id: undefined }]],
  ['a name and an id', 'id: 1\nevent: x\ndata: y\n\n', [{ event: 'x', data: 'y', id: '1' }]],
  ['an id with a NUL is ignored', 'id: 1\0\ndata: y\n\n', [{ event: 'message', data: 'y', id: undefined }]],
  ['an empty id', 'id\ndata: y\n\n', [{ event: 'message', data: 'y', id: '' }]],
  ['an id without data moves the cursor', 'id: 7\n\n', [{ event: 'message', data: undefined, id: '7' }]],
  ['a name without data is nothing', 'event: x\n\n', []],
  ['a name does not outlive its block', 'event: x\n\ndata: y\n\n', [{ event: 'message', data: 'y', id: undefined }]],
  ['comments and unknown fields', ': a\n:\nfoo: bar\ndata: y\n\n', [{ event: 'message', data: 'y', id: undefined }]],
  ['a block without an end is nothing', 'data: y\n', []],
  ['CR and CRLF end lines', 'data: a\rdata: b\r\n\r\n', [{ event: 'message', data: 'a\nb', id: undefined }]],
]

for (const [title, text, blocks] of cases) {
  test(`${title}, in one piece and byte by byte`, t => {
    t.deepEqual(parse(text).blocks, blocks)
    t.deepEqual(parse(...Array.from(text)).blocks, blocks)
  })
}

test('retry is digits only', t => {
  t.deepEqual(parse('retry: 500\nretry: 1e3\nretry: -1\nretry:\nretry: 7 \n\n').retries, [500])
})

test('any text, cut anywhere, is read as another parser reads it', t => {
  const piece = fc.constantFrom('data', 'event', 'id', 'foo', ':', ' ', 'x', '\n', '\r', '\r\n', '\n\n', '5', 'é')
  fc.assert(
    fc.property(fc.array(fc.array(piece, { maxLength: 8 }), { maxLength: 12 }), pieces => {
      // The comment ends a CR at the end, which may be half of a line end to the other parser.
      const texts = [...pieces.map(parts => parts.join('')), ':\n']
      const expected: unknown[] = []
      const other = createParser({
        onEvent: ({ event = 'message', data, id }) => expected.push({ event, data, id }),
      })
      other.feed(texts.join(''))
      const events = parse(...texts).blocks.filter(({ data }) => data !== undefined)
      t.deepEqual(
        events.map(({ event, data }) => ({ event, data })),
        expected.map(one => ({ event: (one as Block).event, data: (one as Block).data })),
      )
    }),
  )
})

test('a line of megabytes in small pieces takes time in proportion', t => {
  const piece = 'x'.repeat(16_384)
  const { blocks } = parse('data: ', ...Array.from({ length: 1_000 }, () => piece), '\n\n')
  t.is(blocks[0]?.data?.length, 16_384_000)
})
