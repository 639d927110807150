import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import {
  createServer as createHttp2Server,
  createSecureServer,
  type Http2SecureServer,
  type Http2Server,
  type ServerHttp2Session,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { Socket } from 'node:net'
import { generate } from 'selfsigned'
import type { Scope } from './scope.ts'

type Http2Listener = (request: Http2ServerRequest, response: Http2ServerResponse) => void

const LOOPBACK = '127.0.0.1'

/** A Koa application, 2 or 3. */
interface App {
  callback(): RequestListener & Http2Listener
}

export interface Served<S> {
  /** `http://<address>:<port>`, without a slash at its end. */
  readonly url: string
  readonly port: number
  readonly server: S
  /** Stops listening and cuts every connection. More than once does no harm. */
  close(): Promise<void>
}

/** Serves an application or a listener over HTTP/1.1 on a free port of the loopback, until the scope ends or `close()`. */
export async function serve(target: App | RequestListener, scope?: Scope): Promise<Served<Server>> {
  const server = createServer(typeof target === 'function' ? target : target.callback())
  return listen(server, () => server.closeAllConnections(), scope)
}

/** The same over cleartext HTTP/2. */
export async function serveHttp2(target: App | Http2Listener, scope?: Scope): Promise<Served<Http2Server>> {
  const server = createHttp2Server(typeof target === 'function' ? target : target.callback())
  const sessions = new Set<ServerHttp2Session>()
  server.on('session', session => keep(sessions, session))
  return listen(server, () => destroyAll(sessions), scope)
}

interface TlsOptions {
  /** Where it listens. Default 127.0.0.1. */
  readonly address?: '127.0.0.1' | '::1'
  /** The host that the certificate is for. Default its address. */
  readonly name?: string
  /** When it expires. */
  readonly until?: Date
}

/** The same over TLS, for clients of HTTP/2 and of HTTP/1.1, with a certificate that nobody has signed: `ca`. */
export async function serveTls(
  target: App,
  scope?: Scope,
  { address = LOOPBACK, name, until }: TlsOptions = {},
): Promise<Served<Http2SecureServer> & { readonly ca: string }> {
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    extensions: [
      {
        name: 'subjectAltName',
        altNames: [name === undefined ? { type: 7, ip: address } : { type: 2, value: name }],
      },
    ],
    ...(until && { notBeforeDate: new Date(0), notAfterDate: until }),
  })
  const server = createSecureServer({ key, cert, allowHTTP1: true }, target.callback())
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => keep(sockets, socket))
  const served = await listen(server, () => destroyAll(sockets), scope, address)
  return { ...served, url: served.url.replace('http', 'https'), ca: cert }
}

function keep<T extends ServerHttp2Session | Socket>(all: Set<T>, one: T): void {
  all.add(one)
  one.once('close', () => all.delete(one))
}

function destroyAll(all: Set<ServerHttp2Session> | Set<Socket>): void {
  for (const one of all) one.destroy()
}

async function listen<S extends Server | Http2Server | Http2SecureServer>(
  server: S,
  cut: () => void,
  scope?: Scope,
  address: string = LOOPBACK,
): Promise<Served<S>> {
  server.listen(0, address)
  await once(server, 'listening')
  const closed = once(server, 'close')
  const { port } = server.address() as AddressInfo
  const close = async () => {
    if (server.listening) server.close()
    cut()
    await closed
  }
  scope?.teardown(close)
  const host = address.includes(':') ? `[${address}]` : address
  return { url: `http://${host}:${port}`, port, server, close }
}
