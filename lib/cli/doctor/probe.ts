import { request as requestPlain, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { request as requestSecure } from 'node:https'
import { PassThrough, pipeline, type Duplex, type Readable } from 'node:stream'
import { constants, createBrotliDecompress, createUnzip } from 'node:zlib'
import { createParser } from '../../client/parser.ts'
import { MOST_BYTES } from '../event-limit.ts'
import { failureOf, type Failure } from './failure.ts'

/** The most buffered events; the oldest is dropped. A probe must keep reading, since the server evicts slow clients. */
const MOST_WAITING = 1_000

export interface Block {
  readonly event: string
  readonly data: string
  readonly id: string | undefined
}

/** How a response ended. Times are in milliseconds. */
export interface Ending {
  readonly isWhole: boolean
  /** The silence before the end. */
  readonly silence: number
  /** The longest silence before that one, which it survived. */
  readonly survived: number
  /** The time since its head. */
  readonly age: number
}

/** An open stream under test. */
export interface Probe {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly httpVersion: string
  /** The next matching event; `undefined` on a timeout, or if the response has ended. */
  next(matches: (block: Block) => boolean, within?: number): Promise<Block | undefined>
  /** `undefined` while it is open. */
  ending(): Ending | undefined
  /** The longest silence so far, in milliseconds. */
  longestSilence(): number
  /** Disconnects. */
  close(): void
}

/** The request of a probe. */
export interface Opening {
  readonly headers: Record<string, string>
  /** Default `GET`. */
  readonly method?: string
  /** The timeout of a response, and of an event, in milliseconds. */
  readonly patience: number
}

export function openProbe(url: URL, { headers, method = 'GET', patience }: Opening): Promise<Probe | Failure> {
  const ask = url.protocol === 'https:' ? requestSecure : requestPlain
  return new Promise(resolve => {
    const outgoing = ask(url, { method, agent: false, headers: { accept: 'text/event-stream', ...headers } })
    const timer = setTimeout(() => {
      // A head that comes byte by byte may never end.
      resolve(outgoing.socket?.bytesRead ? 'half' : 'silent')
      outgoing.destroy()
    }, patience)
    outgoing.on('error', error => {
      clearTimeout(timer)
      resolve(failureOf(error))
    })
    outgoing.once('response', incoming => {
      clearTimeout(timer)
      resolve(watch(incoming, patience, () => outgoing.destroy()))
    })
    outgoing.end()
  })
}

function watch(incoming: IncomingMessage, patience: number, close: () => void): Probe {
  const waiting: Block[] = []
  let ending: Ending | undefined
  let announce = (): void => {}
  let longest = 0
  const openedAt = performance.now()
  let byteAt = openedAt
  let bytes = 0

  const sign = (): void => {
    longest = Math.max(longest, performance.now() - byteAt)
    byteAt = performance.now()
  }
  const end = (): void => {
    const now = performance.now()
    ending ??= { isWhole: incoming.complete, silence: now - byteAt, survived: longest, age: now - openedAt }
    announce()
  }
  const parse = createParser(
    (event, data = '', id) => {
      bytes = 0
      waiting.push({ event, data, id })
      if (waiting.length > MOST_WAITING) waiting.shift()
    },
    () => {},
  )
  const decoder = new TextDecoder()
  incoming.on('data', sign)
  const body: Readable = pipeline(incoming, decompressor(incoming.headers['content-encoding']), () => {})
  // Not that of the response: what has come before its end may not be decompressed yet.
  body.once('close', end)
  body.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > MOST_BYTES) {
      incoming.destroy()
      return
    }
    parse(decoder.decode(chunk, { stream: true }))
    announce()
  })

  return {
    status: incoming.statusCode ?? 0,
    headers: incoming.headers,
    httpVersion: incoming.httpVersion,
    async next(matches, within = patience) {
      const deadline = performance.now() + within
      for (;;) {
        for (let block; (block = waiting.shift()) !== undefined;) if (matches(block)) return block
        const left = deadline - performance.now()
        if (ending !== undefined || left <= 0) return undefined
        await new Promise<void>(resolve => {
          const timer = setTimeout(resolve, left)
          announce = () => {
            clearTimeout(timer)
            resolve()
          }
        })
      }
    },
    ending: () => ending,
    longestSilence: () => Math.max(longest, performance.now() - byteAt),
    close,
  }
}

/** Decompresses incoming data without delay. */
function decompressor(encoding = 'identity'): Duplex {
  switch (encoding.toLowerCase()) {
    // Two names of one coding (RFC 9110, section 8.4.1.3).
    case 'gzip':
    case 'x-gzip':
    case 'deflate':
      return createUnzip({ finishFlush: constants.Z_SYNC_FLUSH })
    case 'br':
      return createBrotliDecompress({ finishFlush: constants.BROTLI_OPERATION_FLUSH })
    default:
      return new PassThrough()
  }
}
