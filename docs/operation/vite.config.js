// Event streams behind Vite's development server, which has node-http-proxy, or its successor, before the application.

/**
 * Has the end of one side reach the other. The proxy passes on neither a page that leaves, so that streams would pile up,
 * nor an application that restarts, so that pages would wait for ever.
 *
 * @param {import('vite').HttpProxy.Server} proxy
 */
function passEnds(proxy) {
  proxy.on('proxyReq', (outgoing, _request, response) => {
    response.once('close', () => outgoing.destroy())
  })
  proxy.on('proxyRes', (incoming, _request, response) => {
    incoming.once('close', () => {
      if (!incoming.complete) response.destroy()
    })
  })
}

export default {
  server: {
    proxy: {
      '/events': { target: 'http://127.0.0.1:3000', configure: passEnds },
    },
  },
}
