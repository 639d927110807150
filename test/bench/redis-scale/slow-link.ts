import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import type { Scope } from '../../support/scope.ts'

export interface SlowLink {
  /** `redis://127.0.0.1:<port>` */
  readonly url: string
  /** Breaks every connection, and each new one until `mend()`. */
  cut(): void
  mend(): void
}

/** A link to a port of the loopback over which answers come at so many bytes a second, over all connections together. */
export async function openSlowLink(target: number, bytesPerSecond: number, scope: Scope): Promise<SlowLink> {
  const sockets = new Set<Socket>()
  let isWhole = true
  // When the link has sent all that it has taken so far.
  let isFreeAt = 0
  const keep = (socket: Socket): void => {
    sockets.add(socket)
    // Broken connections are what this is for.
    socket.on('error', () => undefined)
    socket.once('close', () => sockets.delete(socket))
  }
  const pass = (from: Socket, to: Socket): void => {
    from.on('data', chunk => {
      from.pause()
      isFreeAt = Math.max(isFreeAt, performance.now()) + (chunk.length / bytesPerSecond) * 1_000
      setTimeout(() => {
        to.write(chunk)
        from.resume()
      }, isFreeAt - performance.now())
    })
  }
  const cut = (): void => {
    isWhole = false
    for (const socket of sockets) socket.destroy()
  }
  const server = createServer(client => {
    keep(client)
    if (!isWhole) {
      client.destroy()
      return
    }
    const upstream = connect(target, '127.0.0.1')
    keep(upstream)
    client.pipe(upstream)
    pass(upstream, client)
    client.once('close', () => upstream.destroy())
    upstream.once('close', () => client.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  scope.teardown(async () => {
    cut()
    server.close()
    await once(server, 'close')
  })
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    mend: () => {
      isWhole = true
    },
  }
}
