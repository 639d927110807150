import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { connect, constants, type ClientHttp2Stream, type IncomingHttpHeaders } from 'node:http2'
import { Agent, request as httpsRequest } from 'node:https'
import test, { type ExecutionContext } from 'ava'
import type Koa from 'koa'
import { serveTls } from '../support/http.ts'
import { koaVersions } from '../support/koa-versions.ts'
import { ReceivedStream } from '../support/received-stream.ts'
import { openEndpoint, type Endpoint, type Setup, type StreamOptions } from './endpoint.ts'

const TRANSPORTS = ['HTTP/1.1', 'TLS', 'HTTP/2'] as const
type Transport = (typeof TRANSPORTS)[number]

/** A response that nobody reads yet. */
export interface Unread {
  readonly status: number
  /** Begins to read. */
  read(): ReceivedStream
  /** Leaves without a word. */
  leave(): void
}

export interface Call {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string | Buffer
}

export interface TransportEndpoint extends Endpoint {
  /** Asks over the transport, as ann unless told otherwise. */
  ask(call?: Call): Promise<Unread>
}

type Start = (options?: StreamOptions, setup?: Omit<Setup, 'Koa' | 'http2'>) => Promise<TransportEndpoint>

/** Registers a test once for each version of Koa and each transport. */
export function onEveryTransport(title: string, run: (t: ExecutionContext, start: Start) => Promise<void>): void {
  for (const transport of TRANSPORTS) {
    for (const [name, version] of koaVersions) {
      test(`${title} (${name}, ${transport})`, t =>
        run(t, (options, setup) => start(t, version, transport, options, setup)))
    }
  }
}

async function start(
  t: ExecutionContext,
  version: typeof Koa,
  transport: Transport,
  options?: StreamOptions,
  setup?: Omit<Setup, 'Koa' | 'http2'>,
): Promise<TransportEndpoint> {
  const endpoint = await openEndpoint(t, options, { ...setup, Koa: version, http2: transport === 'HTTP/2' })
  const { url, ca } = transport === 'TLS' ? await serveTls(endpoint.app, t) : { url: endpoint.url, ca: undefined }
  const ask = ({ method = 'GET', headers, body }: Call = {}): Promise<Unread> => {
    const all = { 'x-user': 'ann', accept: 'text/event-stream', ...headers }
    return transport === 'HTTP/2' ? askHttp2(url, method, all, body) : askHttp1(url, ca, method, all, body)
  }
  return { ...endpoint, ask }
}

async function askHttp1(
  url: string,
  ca: string | undefined,
  method: string,
  headers: Record<string, string>,
  body: Call['body'],
): Promise<Unread> {
  const outgoing =
    ca === undefined
      ? httpRequest(url, { method, headers, agent: false })
      : httpsRequest(url, { method, headers, ca, agent: new Agent() })
  outgoing.end(body)
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
  outgoing.on('error', ignore)
  incoming.on('error', ignore)
  const leave = () => outgoing.destroy()
  const status = incoming.statusCode ?? 0
  return { status, leave, read: () => new ReceivedStream(status, incoming.headers, incoming, leave) }
}

async function askHttp2(
  url: string,
  method: string,
  headers: Record<string, string>,
  body: Call['body'],
): Promise<Unread> {
  const session = connect(url)
  session.on('error', ignore)
  const stream: ClientHttp2Stream = session.request(
    { ':method': method, ...headers },
    { endStream: body === undefined },
  )
  stream.on('error', ignore)
  if (body !== undefined) stream.end(body)
  stream.once('close', () => session.close())
  const [incoming] = (await once(stream, 'response')) as [IncomingHttpHeaders & { ':status': number }]
  const leave = () => stream.close(constants.NGHTTP2_CANCEL)
  const status = incoming[':status']
  return { status, leave, read: () => new ReceivedStream(status, incoming, stream, leave) }
}

function ignore(): void {}
