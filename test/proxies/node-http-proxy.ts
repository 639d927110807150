import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import httpProxy from 'http-proxy'
import { createProxyServer } from 'http-proxy-3'
import { serve } from '../support/http.ts'
import { OPERATION } from './configuration.ts'
import type { Proxy } from './proxy.ts'

/** What Vite calls with an entry of its option `server.proxy`. */
interface Entry {
  readonly configure: (proxy: { on(event: 'proxyReq', listener: never): unknown }) => void
}

/** What both libraries have. */
interface Library {
  on(event: 'error', listener: () => void): unknown
  on(event: 'proxyReq', listener: never): unknown
  web(request: IncomingMessage, response: ServerResponse): unknown
}

interface Options {
  target: string
  proxyTimeout?: number
}

async function entry(): Promise<Entry> {
  const { default: config } = (await import(pathToFileURL(join(OPERATION, 'vite.config.js')).href)) as {
    default: { server: { proxy: { '/events': Entry } } }
  }
  return config.server.proxy['/events']
}

/** The proxy of development servers, made as Vite does. */
const developmentProxy = (name: string, create: (options: Options) => Library): Proxy => ({
  name,
  isBalancer: false,
  keepsStreams: false,
  passesCuts: true,
  tellsLeavingAtOnce: true,
  async start(scope, { ports, idle }) {
    const proxy = create({
      target: `http://127.0.0.1:${ports[0]}`,
      ...(idle !== undefined && { proxyTimeout: idle * 1_000 }),
    })
    const { configure } = await entry()
    configure(proxy)
    proxy.on('error', () => {})
    return serve((request, response) => void proxy.web(request, response), scope)
  },
})

/** Of webpack-dev-server, by way of http-proxy-middleware, and of older Vites. */
export const nodeHttpProxy = developmentProxy('node-http-proxy', options => httpProxy.createProxyServer(options))

/** Of Vite from version 7 on. */
export const httpProxy3 = developmentProxy('http-proxy-3', options => createProxyServer(options))
