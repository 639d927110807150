import { connect, constants, type ClientHttp2Session, type OutgoingHttpHeaders } from 'node:http2'
import { setTimeout } from 'node:timers/promises'
import type { Random } from '../support/random.ts'
import type { RandomRequest } from './random-request.ts'

const LONGEST_VISIT = 100

// Of one connection, which HTTP/2 does not have for a single request (RFC 9113, section 8.2.2).
const UNKNOWN = new Set(['host', 'connection', 'expect', 'te'])

/** Sends requests over one HTTP/2 connection at once, cancels some, and breaks the connection off or lets it finish. */
export async function visitHttp2(url: string, requests: readonly RandomRequest[], random: Random): Promise<string> {
  const session = connect(url)
  session.on('error', () => {})
  const closed = new Promise(resolve => session.once('close', resolve))
  const answers = requests.map(request => ask(session, request, random))
  await setTimeout(random.between(0, LONGEST_VISIT))
  session.destroy()
  await closed
  return answers.map(answer => answer()).join('\n')
}

/** Answers what has come by the time it is asked. */
function ask(session: ClientHttp2Session, request: RandomRequest, random: Random): () => string {
  const cancelled = random.chance(0.3)
  const stream = session.request(headersOf(request), { endStream: request.body === '' })
  let text = ''
  stream.on('error', () => {})
  stream.on('response', headers => {
    text += `HTTP/2 ${String(headers[':status'])} \n`
    for (const cookie of headers['set-cookie'] ?? []) text += `set-cookie: ${cookie}\n`
    if (cancelled) stream.close(constants.NGHTTP2_CANCEL)
  })
  stream.on('data', chunk => {
    if (text.length < 32_768) text += String(chunk)
  })
  if (request.body !== '') stream.end(request.body)
  return () => text
}

function headersOf({ method, path, headers }: RandomRequest): OutgoingHttpHeaders {
  const rest = headers.map(([name, value]) => [name.toLowerCase(), value] as const)
  return {
    ...Object.fromEntries(rest.filter(([name]) => !UNKNOWN.has(name))),
    ':method': method,
    ':path': path,
    ':authority': 'localhost',
  }
}
