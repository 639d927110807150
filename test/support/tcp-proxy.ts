import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import type { Scope } from './scope.ts'

/** A cable that can be pulled: it passes bytes on to a server on the loopback, until it is told not to. */
export interface TcpProxy {
  /** `http://127.0.0.1:<port>`, without a slash at its end. */
  readonly url: string
  /** The port that new connections go to. */
  target: number
  /** Breaks every connection, and each new one until `mend()`. */
  cut(): void
  mend(): void
}

/** Listens on a free port of the loopback until the scope ends. */
export async function openTcpProxy(target: number, scope: Scope): Promise<TcpProxy> {
  const sockets = new Set<Socket>()
  let whole = true

  const keep = (socket: Socket) => {
    sockets.add(socket)
    // Broken connections are what this is for.
    socket.on('error', () => {})
    socket.once('close', () => sockets.delete(socket))
  }
  const cut = () => {
    whole = false
    for (const socket of sockets) socket.destroy()
  }
  const server = createServer(client => {
    keep(client)
    if (!whole) return client.destroy()
    const upstream = connect(proxy.target, '127.0.0.1')
    keep(upstream)
    client.once('close', () => upstream.destroy())
    upstream.once('close', () => client.destroy())
    client.pipe(upstream).pipe(client)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  scope.teardown(async () => {
    cut()
    server.close()
    await once(server, 'close')
  })

  const { port } = server.address() as AddressInfo
  const proxy: TcpProxy = { url: `http://127.0.0.1:${port}`, target, cut, mend: () => (whole = true) }
  return proxy
}
