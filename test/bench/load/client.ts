import type { Histogram } from './histogram.ts'
import type { Reader } from './reader.ts'

/** What a stream is read by. Without one: HTTP/1.1, on a plain socket for each stream. */
export type Protocol =
  | { readonly name: 'https' }
  /** Over TLS, with so many streams on each connection. */
  | { readonly name: 'http2'; readonly streams: number }
  /** HTTP/1.1 by a client that takes gzip, and counts the bytes of bodies. */
  | { readonly name: 'gzip' }

export interface Wishes {
  readonly port: number
  readonly path: string
  /** Header lines, each with its CR LF. */
  readonly headers: string
}

export interface Observer {
  readonly latencies: Histogram
  received(events: number): void
  /** So many bytes of a body have come, before they are inflated. */
  carried(bytes: number): void
  failed(error: Error): void
}

/** One that has a stream. */
export interface Client {
  readonly reader: Reader
  /** The id of the last event, for a client that is to come back. */
  readonly lastId: string | undefined
  /** Notes ids from now on. */
  noteIds(): void
  /** Reads nothing more. That the server may end the stream for that is no failure. */
  stall(): void
  close(): void
}
