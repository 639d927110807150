import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2'
import type { Client, Observer, Wishes } from './client.ts'
import { listen } from './listen.ts'
import { Reader } from './reader.ts'

/** Connections of HTTP/2 over TLS, each with so many streams. */
export class Http2Connections {
  readonly #streams: number
  #connection: ClientHttp2Session | undefined
  #room = 0

  constructor(streams: number) {
    this.#streams = streams
  }

  /** Resolves when the stream has begun. */
  open({ port, path }: Wishes, observer: Observer): Promise<Client> {
    const connection = this.#connectionTo(port, observer)
    return new Promise(resolve => {
      const request = connection.request({ ':path': path, accept: 'text/event-stream' })
      const client = new Http2Client(request, connection, observer)
      request.once('response', ({ ':status': status }) => {
        if (status === 200) resolve(client)
        else observer.failed(new Error(`a stream was refused: ${String(status)}`))
      })
    })
  }

  #connectionTo(port: number, observer: Observer): ClientHttp2Session {
    if (this.#connection === undefined || this.#room === 0) {
      // The certificate is one that nobody has signed.
      this.#connection = connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false })
      this.#connection.on('error', error => observer.failed(error))
      this.#room = this.#streams
    }
    this.#room -= 1
    return this.#connection
  }
}

class Http2Client implements Client {
  readonly reader: Reader
  readonly lastId = undefined
  readonly #request: ClientHttp2Stream
  readonly #connection: ClientHttp2Session

  constructor(request: ClientHttp2Stream, connection: ClientHttp2Session, observer: Observer) {
    this.reader = new Reader(observer.latencies)
    this.#request = request
    this.#connection = connection
    request.on('end', () => observer.failed(new Error('a stream has ended')))
    listen(request, this.reader, observer)
  }

  noteIds(): void {
    throw new TypeError('clients of HTTP/2 note no ids')
  }

  stall(): void {
    throw new TypeError('clients of HTTP/2 do not stall')
  }

  close(): void {
    this.#request.removeAllListeners('end').removeAllListeners('error').on('error', ignore)
    this.#request.close(constants.NGHTTP2_CANCEL)
    this.#connection.removeAllListeners('error').on('error', ignore).destroy()
  }
}

function ignore(): void {}
