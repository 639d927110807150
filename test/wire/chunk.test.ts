import test from 'ava'
import { Chunk } from '../../lib/wire/chunk.ts'

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()

test('a chunk is its bytes between their length in hexadecimal and a line end', t => {
  const { bytes, framed } = Chunk.of(Buffer.from('data: twenty-seven bytes\n\n!'))
  t.is(text(bytes), 'data: twenty-seven bytes\n\n!')
  t.is(text(framed), '1b\r\ndata: twenty-seven bytes\n\n!\r\n')
})

test('what is put into a chunk that was allocated is framed in place', t => {
  const chunk = Chunk.allocate(16)
  chunk.bytes.fill('x')
  t.is(text(chunk.framed), '10\r\nxxxxxxxxxxxxxxxx\r\n')
})
