import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { StringDecoder } from 'node:string_decoder'
import { Progress } from './progress.ts'

/** A bare TCP client: for HTTP/1.0, pipelining, readers that stop reading, and requests no client would send. */
export class RawSocket {
  readonly socket: Socket
  readonly #progress = new Progress()
  readonly #chunks: Buffer[] = []
  readonly #decoder = new StringDecoder()
  // Decoded as it comes: whoever waits looks at it again with every chunk.
  #text = ''

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk)
      this.#text += this.#decoder.write(chunk)
      this.#progress.announce()
    })
    // A reset is an ordinary end here; `ended` tells of it.
    socket.on('error', () => {})
    socket.once('close', () => this.#progress.announce())
  }

  /** What came back so far. */
  get bytes(): Buffer {
    return Buffer.concat(this.#chunks)
  }

  get text(): string {
    return this.#text
  }

  write(bytes: string | Uint8Array): this {
    this.socket.write(bytes)
    return this
  }

  /** Stops reading: the peer's writes fill the kernel's buffers, and then the peer's own. */
  pause(): this {
    this.socket.pause()
    return this
  }

  resume(): this {
    this.socket.resume()
    return this
  }

  /** Resolves to the text so far as soon as it contains or matches `pattern`; rejects if the connection ends first. */
  until(pattern: string | RegExp): Promise<string> {
    let seen = 0
    return this.#progress.until(
      () => {
        const { text } = this
        if (typeof pattern === 'string' ? text.includes(pattern, seen) : pattern.test(text)) return text
        if (typeof pattern === 'string') seen = Math.max(0, text.length - pattern.length)
        if (this.socket.closed) throw new Error(`Closed before ${String(pattern)} came. ${this.#soFar()}`)
        return undefined
      },
      () => `${String(pattern)} did not come. ${this.#soFar()}`,
    )
  }

  /** Resolves to all that came, once the connection is closed. */
  ended(): Promise<string> {
    return this.#progress.until(
      () => (this.socket.closed ? this.text : undefined),
      () => `The connection did not close. ${this.#soFar()}`,
    )
  }

  /** Hangs up, with a reset if bytes are unread. */
  close(): void {
    this.socket.destroy()
  }

  #soFar(): string {
    return `Received so far: ${JSON.stringify(this.text.slice(-2_000))}`
  }
}

/** Connects to a port of the loopback and writes `bytes`, if there are any yet. */
export async function raw(port: number, bytes?: string | Uint8Array): Promise<RawSocket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: false })
  await once(socket, 'connect')
  const client = new RawSocket(socket)
  return bytes === undefined ? client : client.write(bytes)
}
