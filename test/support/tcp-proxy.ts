import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { Pause } from './pause.ts'
import type { Scope } from './scope.ts'

/** A cable that can be pulled: it passes bytes on to a server on the loopback, until it is told not to. */
export interface TcpProxy {
  /** `http://127.0.0.1:<port>`, without a slash at its end. */
  readonly url: string
  /** The port that new connections go to. */
  target: number
  /** Breaks every connection, and each new one until `mend()`. */
  cut(): void
  /** Keeps back all bytes, of new connections too, until `mend()`. */
  hold(): void
  /** Carries nothing more on the connections that stand, and says so to nobody. New ones work. */
  strand(): void
  mend(): void
}

export interface TcpProxyOptions {
  /** The first connection whose client sends this is stranded then, and it is not passed on. */
  readonly strandAt?: string
  /** How what the server sends on a connection is passed on. By default as it comes. */
  readonly answers?: (chunks: AsyncIterable<Buffer>) => AsyncIterable<Buffer>
}

/** Listens on a free port of the loopback until the scope ends. */
export async function openTcpProxy(
  target: number,
  scope: Scope,
  { strandAt, answers = chunks => chunks }: TcpProxyOptions = {},
): Promise<TcpProxy> {
  const sockets = new Set<Socket>()
  const stranded = new WeakSet<Socket>()
  let bait = strandAt
  let whole = true
  let held: Pause | undefined

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
  const mend = () => {
    whole = true
    held?.end()
    held = undefined
  }
  const strand = () => {
    for (const socket of sockets) stranded.add(socket)
  }
  async function* carried(chunks: AsyncIterable<Buffer>, source: Socket) {
    for await (const chunk of chunks) {
      await held?.wait()
      if (bait !== undefined && chunk.includes(bait)) {
        bait = undefined
        stranded.add(source)
      }
      if (!stranded.has(source)) yield chunk
    }
    // The other end is not told of this one's end, either.
    if (stranded.has(source)) await new Promise(() => {})
  }
  const closeBoth = (one: Socket, other: Socket) => {
    one.once('close', () => {
      if (!stranded.has(one)) other.destroy()
    })
  }
  const server = createServer(client => {
    keep(client)
    if (!whole) return client.destroy()
    const upstream = connect(proxy.target, '127.0.0.1')
    keep(upstream)
    closeBoth(client, upstream)
    closeBoth(upstream, client)
    pipeline(client, chunks => carried(chunks, client), upstream).catch(() => {})
    pipeline(upstream, chunks => answers(carried(chunks, upstream)), client).catch(() => {})
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  scope.teardown(async () => {
    cut()
    held?.end()
    server.close()
    await once(server, 'close')
  })

  const { port } = server.address() as AddressInfo
  const hold = () => (held ??= new Pause())
  const proxy: TcpProxy = { url: `http://127.0.0.1:${port}`, target, cut, hold, strand, mend }
  return proxy
}
