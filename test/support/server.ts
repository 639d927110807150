import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createHttp2Server, type Http2Server, type ServerHttp2Session } from 'node:http2'
import type { AddressInfo } from 'node:net'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { Scope } from './scope.ts'

type Http2Listener = (request: Http2ServerRequest, response: Http2ServerResponse) => void

/** A Koa application, 2 or 3. */
interface App {
  callback(): RequestListener & Http2Listener
}

export interface Served<S> {
  /** `http://127.0.0.1:<port>`, without a slash at its end. */
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
  server.on('session', session => {
    sessions.add(session)
    session.once('close', () => sessions.delete(session))
  })
  return listen(
    server,
    () => {
      for (const session of sessions) session.destroy()
    },
    scope,
  )
}

async function listen<S extends Server | Http2Server>(server: S, cut: () => void, scope?: Scope): Promise<Served<S>> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const closed = once(server, 'close')
  const { port } = server.address() as AddressInfo
  const close = async () => {
    if (server.listening) server.close()
    cut()
    await closed
  }
  scope?.teardown(close)
  return { url: `http://127.0.0.1:${port}`, port, server, close }
}
