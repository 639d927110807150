import { connect, type Socket } from 'node:net'
import { connect as connectTls, TLSSocket } from 'node:tls'
import type { Client, Observer, Wishes } from './client.ts'
import { Reader } from './reader.ts'

const OK = Buffer.from('HTTP/1.1 200 ')
const HEAD_END = Buffer.from('\r\n\r\n')
const LAST_ID = /.*^id: ?(.+?)\r?\n/ms
/** Milliseconds that a stream may take to begin. */
const PATIENCE = 30_000
// One for all: what was read is looked at before anything else is read.
const buffer = Buffer.allocUnsafe(65_536)

/** A client: a socket with a request for a stream. */
export class Connection implements Client {
  readonly reader: Reader
  lastId: string | undefined
  readonly #observer: Observer
  readonly #socket: Socket
  #opened: (() => void) | undefined
  #idWanted = false

  private constructor({ path, headers }: Wishes, observer: Observer, socket: Socket, opened: () => void) {
    this.#observer = observer
    this.#opened = opened
    this.reader = new Reader(observer.latencies)
    this.#socket = socket
    this.#socket.on('error', error => observer.failed(error))
    this.#socket.on('end', () => observer.failed(new Error('a stream has ended')))
    this.#socket.setTimeout(PATIENCE, () => observer.failed(new Error(`${path} was not answered`)))
    this.#socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n${headers}\r\n`)
  }

  /** Resolves when the stream has begun. */
  static open(wishes: Wishes, observer: Observer): Promise<Connection> {
    return new Promise(resolve => {
      const onread = { buffer, callback: (length: number) => connection.#read(buffer.subarray(0, length)) }
      // The types leave the callback out of what a socket is made with, though `connect` hands it on.
      const socket = connect({ port: wishes.port, host: '127.0.0.1', onread })
      const connection: Connection = new Connection(wishes, observer, socket, () => resolve(connection))
    })
  }

  /** The same over TLS. */
  static openSecure(wishes: Wishes, observer: Observer): Promise<Connection> {
    return new Promise(resolve => {
      // The certificate is one that nobody has signed.
      const socket = connectTls({ port: wishes.port, host: '127.0.0.1', rejectUnauthorized: false })
      const connection: Connection = new Connection(wishes, observer, socket, () => resolve(connection))
      socket.on('data', (chunk: Buffer) => connection.#read(chunk))
    })
  }

  noteIds(): void {
    this.#idWanted = true
  }

  stall(): void {
    this.#socket.pause()
    this.#socket.removeAllListeners('end').removeAllListeners('error').on('error', ignore)
  }

  close(): void {
    this.#socket.removeAllListeners('end')
    // A reset leaves no port waiting; there is none through TLS.
    if (this.#socket instanceof TLSSocket) this.#socket.destroy()
    else this.#socket.resetAndDestroy()
  }

  #read(chunk: Buffer): boolean {
    try {
      if (this.#opened !== undefined) this.#begin(chunk)
      if (this.#idWanted) this.lastId = LAST_ID.exec(chunk.toString('latin1'))?.[1] ?? this.lastId
      const events = this.reader.read(chunk)
      if (events > 0) this.#observer.received(events)
    } catch (error) {
      this.#observer.failed(error as Error)
    }
    return true
  }

  #begin(chunk: Buffer): void {
    if (!chunk.subarray(0, OK.length).equals(OK) || !chunk.includes(HEAD_END)) {
      throw new Error(`a stream was refused: ${chunk.toString('latin1').slice(0, 200)}`)
    }
    this.#socket.setTimeout(0)
    this.#opened?.()
    this.#opened = undefined
  }
}

function ignore(): void {}
