import { once } from 'node:events'
import { Agent, request, type ClientRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import {
  connect,
  constants,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
} from 'node:http2'
import { PATIENCE } from './progress.ts'
import { ReceivedStream } from './received-stream.ts'

export interface OpenOptions {
  /** Default `GET`. */
  readonly method?: string
  /** Sent besides `Accept: text/event-stream`, which they may replace. */
  readonly headers?: OutgoingHttpHeaders
  readonly body?: string | Buffer
  readonly signal?: AbortSignal
}

export interface Http1Options extends OpenOptions {
  /** By default each stream has a connection of its own, kept alive as browsers do. */
  readonly agent?: Agent
}

/** Asks for a stream over HTTP/1.1. Resolves at the response's headers, whatever its status. */
export async function openStream(url: string, options: Http1Options = {}): Promise<ReceivedStream> {
  const { method = 'GET', headers, body, signal, agent = new Agent({ keepAlive: true }) } = options
  const outgoing = request(url, {
    method,
    agent,
    headers: { accept: 'text/event-stream', ...headers },
    ...(signal && { signal }),
  })
  outgoing.end(body)
  const incoming = await headersOf<IncomingMessage>(outgoing)
  outgoing.on('error', ignore)
  return new ReceivedStream(incoming.statusCode ?? 0, incoming.headers, incoming, () => outgoing.destroy())
}

export interface Http2Options extends OpenOptions {
  /** For an `https:` address: the certificate that is trusted. */
  readonly ca?: string
}

/** The same over HTTP/2, on a connection of its own. `close()` cancels the stream and lets the connection finish. */
export async function openHttp2Stream(url: string, options: Http2Options = {}): Promise<ReceivedStream> {
  const { origin, pathname, search } = new URL(url)
  const { method = 'GET', headers, body, signal, ca } = options
  const session = connect(origin, { ...(ca !== undefined && { ca }) })
  // The stream fails with its session, and says so.
  session.on('error', ignore)
  const stream = session.request(
    { ':method': method, ':path': pathname + search, accept: 'text/event-stream', ...headers },
    { endStream: body === undefined, ...(signal && { signal }) },
  )
  if (body !== undefined) stream.end(body)
  stream.once('close', () => session.close())
  const incoming = await headersOf<IncomingHttpHeaders & IncomingHttpStatusHeader>(stream)
  return new ReceivedStream(incoming[':status'] ?? 0, incoming, stream, () => stream.close(constants.NGHTTP2_CANCEL))
}

async function headersOf<T>(outgoing: ClientRequest | ClientHttp2Stream): Promise<T> {
  const timer = setTimeout(() => outgoing.destroy(new Error(`No response (waited ${PATIENCE} ms)`)), PATIENCE)
  try {
    const [incoming] = (await once(outgoing, 'response')) as [T]
    return incoming
  } finally {
    clearTimeout(timer)
  }
}

function ignore(): void {}
