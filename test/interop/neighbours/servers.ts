import { openHttp2Stream, serve, serveTls } from '../../support/http.ts'
import { startNginx } from '../../support/nginx.ts'
import type { Neighbour } from '../neighbour.ts'

// What HTTP/2 forbids (RFC 9113, section 8.2.2).
const FORBIDDEN = ['connection', 'keep-alive', 'transfer-encoding', 'proxy-connection', 'upgrade']

/** What stands between the application and the network. */
export const servers: readonly Neighbour[] = [
  {
    packages: [],
    how: 'nginx with its defaults',
    note: 'Even over its HTTP/1.0; [more on it](behind-proxies.md)',
    arrange: ({ t }) => ({
      serve: async app => ({ url: await startNginx(t, (await serve(app, t)).port) }),
      proves: ({ first }) => {
        t.regex(String(first.headers.server), /^nginx/)
      },
    }),
  },
  {
    packages: [],
    how: 'HTTP/2 with TLS',
    note: 'Of `node:http2`; the best way to have many streams in one browser',
    arrange: ({ t }) => ({
      serve: async app => {
        const { url, ca } = await serveTls(app, t)
        return { url, open: (path, headers) => openHttp2Stream(url + path, { headers, ca }) }
      },
      proves: ({ first }) => {
        t.true(':status' in first.headers)
        for (const name of FORBIDDEN) t.false(name in first.headers, name)
      },
    }),
  },
]
