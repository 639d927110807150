import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { Deferred } from '../support/deferred.ts'
import type { Scope } from '../support/scope.ts'

/** The network between an instance and its Redis, with its faults. */
export interface RedisProxy {
  /** `redis://127.0.0.1:<port>` */
  readonly url: string
  /** Breaks every connection, and each new one until `mend()`. */
  cut(): void
  mend(): void
  /** Forgets every connection, as a firewall does: nothing gets through any more, and nobody is told. New ones are passed on. */
  forget(): void
  /** Ends what Redis sends on every connection, and goes on passing on what is sent to Redis. */
  halfClose(): void
  /** Takes nothing of what Redis sends, until `flow()`. */
  stall(): void
  flow(): void
  /** Lets through what Redis sends up to these bytes, and keeps them and all after them, on that connection, until the release. */
  keepFrom(bytes: string): Kept
  /** Puts more bytes right behind the next answer that has these, so that both are read at once. */
  slipBehind(bytes: string, more: string): void
}

export interface Kept {
  /** Resolves when the bytes have come. */
  readonly reached: Promise<void>
  release(): void
}

/** Passes connections on to a port of the loopback, until the scope ends. */
export async function openRedisProxy(target: number, scope: Scope): Promise<RedisProxy> {
  const lines = new Set<Line>()
  let gate: Gate | undefined
  let slip: { readonly bytes: string; readonly more: string } | undefined
  const withSlip = (chunk: Buffer) => {
    if (slip === undefined || !chunk.includes(slip.bytes)) return chunk
    const { more } = slip
    slip = undefined
    return Buffer.concat([chunk, Buffer.from(more)])
  }
  let whole = true
  const server = createServer({ allowHalfOpen: true }, client => {
    if (!whole) {
      client.destroy()
      return
    }
    const line = new Line(
      client,
      connect({ port: target, host: '127.0.0.1', allowHalfOpen: true }),
      () => gate,
      withSlip,
    )
    lines.add(line)
    client.once('close', () => lines.delete(line))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = () => {
    whole = false
    for (const line of lines) line.cut()
  }
  scope.teardown(async () => {
    cut()
    server.close()
    await once(server, 'close')
  })
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    mend: () => (whole = true),
    forget: () => {
      for (const line of lines) line.isForgotten = true
    },
    halfClose: () => {
      for (const line of lines) line.client.end()
    },
    stall: () => {
      for (const line of lines) line.server.pause()
    },
    flow: () => {
      for (const line of lines) line.server.resume()
    },
    keepFrom: bytes => (gate = new Gate(bytes)),
    slipBehind: (bytes, more) => {
      slip = { bytes, more }
    },
  }
}

class Gate implements Kept {
  readonly #bytes: string
  readonly #reached = new Deferred<undefined>()
  #line: Line | undefined
  #isOpen = false

  constructor(bytes: string) {
    this.#bytes = bytes
  }

  get reached(): Promise<void> {
    return this.#reached.promise
  }

  release(): void {
    this.#isOpen = true
    this.#line?.release()
  }

  /** How many bytes of a chunk may go on. */
  admits(line: Line, chunk: Buffer): number {
    if (this.#isOpen || (this.#line !== undefined && this.#line !== line)) return chunk.length
    if (this.#line === line) return 0
    const index = chunk.indexOf(this.#bytes)
    if (index === -1) return chunk.length
    this.#line = line
    this.#reached.resolve(undefined)
    return index
  }
}

class Line {
  readonly client: Socket
  readonly server: Socket
  isForgotten = false
  readonly #gate: () => Gate | undefined
  #kept: Buffer[] = []

  constructor(client: Socket, server: Socket, gate: () => Gate | undefined, alter: (chunk: Buffer) => Buffer) {
    this.client = client
    this.server = server
    this.#gate = gate
    client.on('data', (chunk: Buffer) => {
      if (!this.isForgotten) server.write(chunk)
    })
    server.on('data', (chunk: Buffer) => {
      if (!this.isForgotten) this.#answer(alter(chunk))
    })
    for (const [socket, peer] of [
      [client, server],
      [server, client],
    ] as const) {
      // Broken connections are what this is for.
      socket.on('error', () => {})
      socket.once('end', () => {
        if (!this.isForgotten) peer.end()
      })
      socket.once('close', () => {
        if (!this.isForgotten) peer.destroy()
      })
    }
  }

  cut(): void {
    this.client.destroy()
    this.server.destroy()
  }

  release(): void {
    if (!this.client.writable) return
    this.client.write(Buffer.concat(this.#kept))
    this.#kept = []
  }

  #answer(chunk: Buffer): void {
    const length = this.#gate()?.admits(this, chunk) ?? chunk.length
    if (length < chunk.length) this.#kept.push(chunk.subarray(length))
    if (length > 0 && this.client.writable) this.client.write(chunk.subarray(0, length))
  }
}
