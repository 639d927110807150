import { get, type IncomingMessage } from 'node:http'
import { constants, createGunzip } from 'node:zlib'
import type { Client, Observer, Wishes } from './client.ts'
import { listen } from './listen.ts'
import { Reader } from './reader.ts'

/** A client that takes gzip, as browsers do, and counts bytes before it inflates them. */
export class InflatingClient implements Client {
  readonly reader: Reader
  readonly lastId = undefined
  readonly #response: IncomingMessage

  private constructor(response: IncomingMessage, observer: Observer) {
    this.reader = new Reader(observer.latencies)
    this.#response = response
    response.on('error', error => observer.failed(error))
    response.on('end', () => observer.failed(new Error('a stream has ended')))
    response.on('data', (chunk: Buffer) => observer.carried(chunk.length))
    const isCompressed = response.headers['content-encoding'] === 'gzip'
    const body = isCompressed ? response.pipe(createGunzip({ flush: constants.Z_SYNC_FLUSH })) : response
    listen(body, this.reader, observer)
  }

  /** Resolves when the stream has begun. */
  static open({ port, path }: Wishes, observer: Observer): Promise<InflatingClient> {
    const headers = { accept: 'text/event-stream', 'accept-encoding': 'gzip' }
    return new Promise(resolve => {
      const request = get({ host: '127.0.0.1', port, path, headers, agent: false }, response => {
        if (response.statusCode === 200) resolve(new InflatingClient(response, observer))
        else observer.failed(new Error(`a stream was refused: ${String(response.statusCode)}`))
      })
      request.on('error', error => observer.failed(error))
    })
  }

  noteIds(): void {
    throw new TypeError('clients that inflate note no ids')
  }

  stall(): void {
    throw new TypeError('clients that inflate do not stall')
  }

  close(): void {
    this.#response.removeAllListeners('end').removeAllListeners('error').on('error', ignore)
    this.#response.socket.resetAndDestroy()
  }
}

function ignore(): void {}
