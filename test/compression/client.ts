import { once } from 'node:events'
import { Agent, request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { connect, type ClientHttp2Stream } from 'node:http2'
import type { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { Progress } from '../support/progress.ts'

export interface ClientOptions {
  readonly http2?: boolean
  /** Default `GET`. */
  readonly method?: string
  /** The value of `Accept-Encoding`. Default `gzip`. */
  readonly encoding?: string
  readonly headers?: Record<string, string>
}

/** A client that reads gzip, or what it gets instead, with Node's zlib, and counts what came over the wire. */
export class Client {
  readonly headers: IncomingHttpHeaders
  /** What came, inflated, so far. */
  text = ''
  /** Bytes of the body, as they came. */
  wireBytes = 0
  /** How it ended; `corrupt` where zlib says so, of a wrong CRC too. */
  readonly closed: Promise<'end' | 'cut' | 'corrupt'>
  readonly #body: Readable
  readonly #leave: () => void
  readonly #progress = new Progress()
  #ending: string | undefined

  constructor(headers: IncomingHttpHeaders, body: Readable, leave: () => void) {
    this.headers = headers
    this.#body = body
    this.#leave = leave
    body.on('data', (bytes: Buffer) => {
      this.wireBytes += bytes.length
      this.#progress.announce()
    })
    this.closed = this.#read(headers['content-encoding'] === 'gzip' ? body.pipe(createGunzip()) : body)
  }

  get isCompressed(): boolean {
    return this.headers['content-encoding'] === 'gzip'
  }

  /** The blocks so far without what is each stream's own, and without the comments of heartbeats. */
  get blocks(): string[] {
    const text = this.text.replaceAll(/^(retry: .*|: ?)\n/gm, '').replaceAll(/"stream":"[^"]+"/g, '"stream":""')
    return text.split('\n\n').filter(block => block !== '')
  }

  /** The id that it comes back with. */
  get lastId(): string {
    return [...this.text.matchAll(/^id: (.*)$/gm)].at(-1)?.[1] ?? ''
  }

  /** Waits until so much has come that this is so. */
  async until(isSo: (text: string) => boolean): Promise<void> {
    await this.#progress.until(
      () => {
        if (isSo(this.text)) return true
        if (this.#ending !== undefined) throw new Error(`It ended (${this.#ending}) after ${this.text.slice(-500)}`)
        return undefined
      },
      () => `That did not come: ${this.text.slice(-500)}`,
    )
  }

  shows(text: string): Promise<void> {
    return this.until(all => all.includes(text))
  }

  /** Waits until so many bytes have come over the wire. */
  async untilBytes(bytes: number): Promise<void> {
    await this.#progress.until(
      () => (this.wireBytes >= bytes ? true : undefined),
      () => `${this.wireBytes} of ${bytes} bytes came`,
    )
  }

  pause(): void {
    this.#body.pause()
  }

  resume(): void {
    this.#body.resume()
  }

  close(): void {
    this.#leave()
  }

  async #read(plain: Readable): Promise<'end' | 'cut' | 'corrupt'> {
    const decoder = new TextDecoder()
    plain.on('data', (bytes: Buffer) => {
      this.text += decoder.decode(bytes, { stream: true })
      this.#progress.announce()
    })
    const ending = await new Promise<'end' | 'cut' | 'corrupt'>(resolve => {
      plain.once('end', () => resolve('end'))
      plain.once('error', (error: NodeJS.ErrnoException) => {
        // Of a response that was cut zlib says that the end is missing.
        resolve(error.code?.startsWith('Z_') === true && error.code !== 'Z_BUF_ERROR' ? 'corrupt' : 'cut')
      })
      this.#body.once('error', () => resolve('cut'))
      this.#body.once('close', () => {
        if (!this.#body.readableEnded) resolve('cut')
      })
    })
    this.#ending = ending
    this.#progress.announce()
    return ending
  }
}

export function openClient(url: string, options: ClientOptions = {}): Promise<Client> {
  return options.http2 === true ? openOverHttp2(url, options) : openOverHttp1(url, options)
}

async function openOverHttp1(
  url: string,
  { method = 'GET', encoding = 'gzip', headers }: ClientOptions,
): Promise<Client> {
  const outgoing = request(url, {
    method,
    agent: new Agent({ keepAlive: true }),
    headers: { accept: 'text/event-stream', 'accept-encoding': encoding, ...headers },
  })
  outgoing.end()
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  outgoing.on('error', () => {})
  return new Client(response.headers, response, () => outgoing.destroy())
}

async function openOverHttp2(url: string, { encoding = 'gzip', headers }: ClientOptions): Promise<Client> {
  const session = connect(url)
  session.on('error', () => {})
  const stream: ClientHttp2Stream = session.request({
    ':path': '/',
    accept: 'text/event-stream',
    'accept-encoding': encoding,
    ...headers,
  })
  stream.on('error', () => {})
  stream.once('close', () => session.close())
  const [received] = (await once(stream, 'response')) as [IncomingHttpHeaders]
  return new Client(received, stream, () => stream.close(8))
}
