import { connect, type Socket } from 'node:net'
import type { Histogram } from '../load/histogram.ts'
import { Reader } from '../load/reader.ts'

const CURSOR = Buffer.from('event: cursor\n')
const ID = Buffer.from('id: ')
const RETRY = Buffer.from('retry: ')
const GAP = Buffer.from('event: gap\n')
/** Chapters of a visitor's story: the last ones. */
const CHAPTERS = 8
/** Characters of what came, where it is wrong. */
const MOST_SHOWN = 500
const LINE_END = '\n'.charCodeAt(0)
/** Milliseconds until it comes back, unless a stream has said otherwise. */
const DEFAULT_RETRY = 3_000
// One for all: what was read is looked at before anything else is read.
const buffer = Buffer.allocUnsafe(65_536)

/** Where visitors go, and what they tell. */
export interface Host {
  readonly path: string
  readonly latencies: Histogram
  /** The port of the server that is to serve the next one. */
  pick(): number
  opened(): void
  /** A stream that had been open has ended, or else one was refused. */
  left(port: number, wasOpen: boolean): void
  /** Events are missing, doubled or out of order. */
  failed(error: Error): void
}

/** A client that comes back with its `Last-Event-ID`, as soon as its last stream has asked it to. */
export class Visitor {
  readonly reader: Reader
  readonly #host: Host
  readonly #header: string
  #lastId = ''
  #retry = DEFAULT_RETRY
  #socket: Socket | undefined
  #isOpen = false
  #timer: NodeJS.Timeout | undefined
  readonly #chapters: string[] = []

  /** @param header its own header lines, each with its CR LF */
  constructor(host: Host, header: string) {
    this.#host = host
    this.#header = header
    this.reader = new Reader(host.latencies)
  }

  /** What it has lived through last, with seconds. */
  get story(): string {
    return `${this.reader.count} events, ${this.#chapters.join(', ')}, now at ${this.#lastId}`
  }

  come(): void {
    const port = this.#host.pick()
    this.#tell(`came to ${port} with ${this.#lastId}`)
    const onread = { buffer, callback: (length: number) => this.#read(buffer.subarray(0, length)) }
    // The types leave the callback out of what a socket is made with, though `connect` hands it on.
    const socket = connect({ port, host: '127.0.0.1', onread })
    this.#socket = socket
    socket.on('error', ignore)
    socket.once('close', () => this.#left(port))
    const resume = this.#lastId === '' ? '' : `Last-Event-ID: ${this.#lastId}\r\n`
    socket.write(
      `GET ${this.#host.path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n${this.#header}${resume}\r\n`,
    )
  }

  close(): void {
    clearTimeout(this.#timer)
    // A reset leaves no port waiting.
    this.#socket?.removeAllListeners('close').resetAndDestroy()
  }

  #left(port: number): void {
    this.#tell(this.#isOpen ? 'its stream ended' : 'it got no stream')
    this.#host.left(port, this.#isOpen)
    this.#isOpen = false
    this.#socket = undefined
    this.reader.interrupt()
    this.#timer = setTimeout(() => this.come(), this.#retry)
  }

  #read(chunk: Buffer): boolean {
    if (!this.#isOpen) this.#begin(chunk)
    const gap = chunk.indexOf(GAP)
    try {
      this.reader.read(chunk)
      // None may be told: history reaches back further than anybody is away.
      if (gap !== -1) throw new Error('a gap was told')
    } catch (error) {
      const came = chunk.toString('latin1', Math.max(0, gap)).slice(0, MOST_SHOWN)
      this.#host.failed(new Error(`${(error as Error).message}: ${came} (${this.story})`))
    }
    // What ends elsewhere may have an id whose event has not come yet.
    if (chunk[chunk.length - 1] === LINE_END) this.#lastId = lastValue(chunk, ID) ?? this.#lastId
    this.#retry = Number(lastValue(chunk, RETRY) ?? this.#retry)
    return true
  }

  #tell(chapter: string): void {
    this.#chapters.push(`${chapter} at ${(performance.now() / 1_000).toFixed(1)} s`)
    if (this.#chapters.length > CHAPTERS) this.#chapters.shift()
  }

  #begin(chunk: Buffer): void {
    // A client that is sent away for a while has a 200, too.
    if (!chunk.includes(CURSOR)) return
    this.#isOpen = true
    this.#tell('has a stream')
    this.#host.opened()
  }
}

function lastValue(chunk: Buffer, field: Buffer): string | undefined {
  const at = chunk.lastIndexOf(field)
  return at === -1 ? undefined : chunk.toString('latin1', at + field.length, chunk.indexOf(LINE_END, at)).trimEnd()
}

function ignore(): void {}
