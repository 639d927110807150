import { request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { createParser } from '../client/parser.ts'
import { StreamRefused } from './stream-refused.ts'

/** A request for a stream. */
export interface StreamRequest {
  readonly url: string
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array | undefined
}

/** What a connection tells. */
export interface ConnectionListener {
  /** A block. `data` is `undefined` where it has only an id; `id` where it has none. */
  block(event: string, data: string | undefined, id: string | undefined): void
  comment(text: string): void
  /** Nothing more comes. `isWhole` says whether the server ended the response, or the connection broke. */
  ended(isWhole: boolean): void
}

/** One connection with a stream on it. */
export interface StreamConnection {
  readonly headers: IncomingHttpHeaders
  /** Breaks it, as a network does. */
  cut(): void
}

/**
 * Asks for a stream over a connection of its own.
 *
 * @returns once the head of the stream has come
 * @throws {StreamRefused} for any other answer, as a rejection
 */
export async function openConnection(asked: StreamRequest, listener: ConnectionListener): Promise<StreamConnection> {
  const { url, method, headers, body } = asked
  const outgoing = request(url, { method, headers: { accept: 'text/event-stream', ...headers }, agent: false })
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.on('response', resolve)
    outgoing.on('error', reject)
    outgoing.end(body)
  })
  if (!isStream(response)) {
    throw new StreamRefused({
      status: response.statusCode ?? 0,
      headers: response.headers,
      body: await textOf(response),
    })
  }
  read(response, listener)
  return {
    headers: response.headers,
    cut: () => {
      const { socket } = outgoing
      // A socket that is being closed already must not be reset: libuv spins then (uv_tcp_close_reset after uv_shutdown).
      if (socket === null || socket.writableEnded || response.complete) outgoing.destroy()
      else socket.resetAndDestroy()
    },
  }
}

function isStream({ statusCode, headers }: IncomingMessage): boolean {
  return statusCode === 200 && headers['content-type']?.startsWith('text/event-stream') === true
}

function read(response: IncomingMessage, listener: ConnectionListener): void {
  const parse = createParser(
    (event, data, id) => {
      listener.block(event, data, id)
    },
    () => undefined,
  )
  let rest = ''
  response.setEncoding('utf8')
  response.on('data', (piece: string) => {
    const lines = (rest + piece).split(/\r\n?|\n/)
    rest = lines.pop() ?? ''
    for (const line of lines) if (line.startsWith(':')) listener.comment(line.replace(/^: ?/, ''))
    parse(piece)
  })
  // A connection that breaks is one of the things that are tested for.
  response.on('error', () => undefined)
  response.once('close', () => {
    listener.ended(response.complete)
  })
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = ''
  response.setEncoding('utf8')
  for await (const piece of response) text += String(piece)
  return text
}
