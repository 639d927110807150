import { once } from 'node:events'
import { createServer, Server, type RequestListener } from 'node:http'

/** What can be tested: a Koa application, a listener of requests, or a server, whether it listens already or not. */
export type TestApp = { callback(): RequestListener } | RequestListener | Server

/** The application behind HTTP. */
export interface SiteServer {
  /** Without a slash at its end. */
  readonly url: string
  close(): Promise<void>
}

/**
 * Serves an application on a free port of the loopback. A server that listens already goes on, when this one is closed, as it
 * did before.
 *
 * @param meet is called for each request, before the application is
 */
export async function serveApp(app: TestApp, meet: RequestListener): Promise<SiteServer> {
  const server = serverOf(app)
  const isOurs = !server.listening
  server.prependListener('request', meet)
  if (isOurs) {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  }
  return {
    url: urlOf(server),
    close: async () => {
      server.off('request', meet)
      if (!isOurs) return
      const closed = new Promise(resolve => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}

function serverOf(app: unknown): Server {
  if (isServer(app)) return app
  if (isListener(app)) return createServer(app)
  if (isKoa(app)) return createServer(app.callback())
  throw new TypeError('`app` must be a Koa application, a server of `node:http`, or a listener of its requests')
}

function isServer(app: unknown): app is Server {
  return app instanceof Server
}

function isListener(app: unknown): app is RequestListener {
  return typeof app === 'function'
}

function isKoa(app: unknown): app is { callback(): RequestListener } {
  return typeof app === 'object' && app !== null && 'callback' in app && typeof app.callback === 'function'
}

function urlOf(server: Server): string {
  const address = server.address()
  if (typeof address === 'object' && address !== null) return `http://127.0.0.1:${address.port}`
  throw new TypeError('`app` listens on no port')
}
