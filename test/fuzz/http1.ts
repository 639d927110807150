import { connect } from 'node:net'
import type { Random } from '../support/random.ts'
import type { RandomRequest } from './random-request.ts'

/** Where in the life of its requests a client leaves. */
const STAGES = [
  'connected',
  'half',
  'sent',
  'answered',
  'answered',
  'event',
  'event',
  'later',
  'later',
  'stuck',
] as const

const LONGEST_VISIT = 100
// Of those who wait for something, which need not come.
const PATIENCE = 2_000
// Enough of an answer to learn from; a flood is let go of.
const KEPT = 32_768

const OK = 'HTTP/1.1 200'
const STREAM = 'text/event-stream'
const LAST_CHUNK = '\r\n0\r\n\r\n'

const JUNK = [
  '\r\n\r\n',
  'GET\r\n\r\n',
  'GET / HTTP/9.9\r\n\r\n',
  'FOO / HTTP/1.1\r\nHost: x\r\n\r\n',
  'GET /events HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n',
  'POST /events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
  'POST /events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc',
  'GET /events HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n',
  'GET http://localhost/public HTTP/1.1\r\nHost: x\r\n\r\n',
  'OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n',
  'CONNECT localhost:1 HTTP/1.1\r\nHost: x\r\n\r\n',
  'GET /events HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
]

/** Sends requests over one connection, pipelined where there are several, and leaves at some stage. Answers what came. */
export async function visit(port: number, requests: readonly RandomRequest[], random: Random): Promise<string> {
  const bytes = Buffer.from(requests.map(request => bytesOf(request, random)).join(''), 'latin1')
  const stage = random.pick(STAGES)
  const reset = random.chance(0.4)
  const longest = stage === 'answered' || stage === 'event' ? PATIENCE : random.between(1, LONGEST_VISIT)
  const middle = random.between(0, bytes.length)
  const isHalfClosed = stage === 'later' && random.chance(0.2)
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  // An error is an ordinary end here.
  const closed = new Promise(resolve => socket.once('close', resolve))
  let text = ''
  const leave = () => {
    // What has been half-closed cannot be reset.
    if (reset && !socket.writableEnded) socket.resetAndDestroy()
    else socket.destroy()
  }
  let timer: NodeJS.Timeout | undefined
  socket.on('data', (chunk: Buffer) => {
    if (text.length < KEPT) text += chunk.toString('latin1')
    if (stage === 'answered' || (stage === 'event' && hasEvent(text))) leave()
  })
  socket.once('connect', () => {
    timer = setTimeout(leave, longest)
    if (stage === 'connected') leave()
    if (stage === 'stuck') socket.pause()
    socket.write(bytes.subarray(0, middle))
    setImmediate(() => {
      if (stage === 'half') leave()
      else socket.write(bytes.subarray(middle), () => stage === 'sent' && leave())
      if (isHalfClosed) socket.end()
    })
  })
  await closed
  clearTimeout(timer)
  return text
}

/** Whether an event with an id has come, or none will. */
function hasEvent(text: string): boolean {
  if (!text.startsWith(OK) || text.length >= KEPT || text.includes('\nid: ')) return true
  return text.includes('\r\n\r\n') && (!text.includes(STREAM) || text.endsWith(LAST_CHUNK))
}

function bytesOf({ method, path, headers, body }: RandomRequest, random: Random): string {
  if (random.chance(0.02)) return random.pick(JUNK)
  const version = random.chance(0.1) ? '1.0' : '1.1'
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`)
  const [framing, content] = framed(body, random)
  return `${method} ${path} HTTP/${version}\r\n${lines.join('')}${framing}\r\n${content}`
}

function framed(body: string, random: Random): [header: string, content: string] {
  if (body === '') return ['', '']
  if (random.chance(0.3))
    return ['Transfer-Encoding: chunked\r\n', `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`]
  // A body that is promised and does not come, now and then.
  return [`Content-Length: ${body.length + (random.chance(0.1) ? 9 : 0)}\r\n`, body]
}
