import { connect } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import type { EventStream } from 'koa-event-stream'
import { eventually } from '../support/eventually.ts'
import { openEndpoint } from './endpoint.ts'
import { onEveryKoa } from './every-koa.ts'

const [HEADERS, RST_STREAM, SETTINGS, GOAWAY] = [1, 3, 4, 7]
const NO_ERROR = 0
const END_STREAM_AND_HEADERS = 0x5

/** A frame of HTTP/2 (RFC 9113, section 4.1). */
function frame(type: number, stream: number, payload: Uint8Array = Buffer.alloc(0), flags = 0): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

function words(...numbers: number[]): Buffer {
  return Buffer.concat(numbers.map(number => Buffer.of(0, 0, 0, number)))
}

// GET, http, / and the name `:authority` are entries of HPACK's static table (RFC 7541, appendix A).
const BLOCK = Buffer.concat([
  Buffer.of(0x82, 0x86, 0x84),
  Buffer.from('\u0001\u0001x'),
  Buffer.from('\u0000\u0006x-user\u0003ann'),
])
const REQUEST = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  frame(SETTINGS, 0),
  frame(HEADERS, 1, BLOCK, END_STREAM_AND_HEADERS),
])
// What Node's client sends for `session.destroy()`.
const GOODBYE = Buffer.concat([frame(RST_STREAM, 1, words(NO_ERROR)), frame(GOAWAY, 0, words(0, NO_ERROR))])

onEveryKoa('a reset without an error, read before an event has gone out, ends the stream', async (t, Koa) => {
  let held: EventStream | undefined
  const { hub, port, tells, isEmpty, story } = await openEndpoint(
    t,
    { subscribe: stream => void (held = stream), heartbeat: false },
    { Koa, http2: true },
  )
  const client = connect(port, '127.0.0.1').resume()
  t.teardown(() => client.destroy())
  client.write(REQUEST)
  await tells('open')
  await eventually(
    () => hub.stats().bufferedBytes === 0,
    () => 'the first bytes have not gone out',
  )
  // What is written now goes out after the next look at the sockets, which finds the reset.
  await turn()
  client.write(GOODBYE)
  held?.comment('hello')
  await tells('close client')
  await isEmpty()
  t.deepEqual(story, ['open', 'close client'])
})
