/** One block of an event stream. */
export interface Block {
  /** `message` where the block names none. */
  readonly event: string
  /** `undefined` for a block that has an id and nothing else: it is no event, but moves the cursor. */
  readonly data: string | undefined
  /** The id of this block; `undefined` where it has none. */
  readonly id: string | undefined
}

/** What a parser finds. */
export interface ParserHost {
  block(block: Block): void
  /** The server says how long to wait before a reconnect, in milliseconds. */
  retry(ms: number): void
}

const LINE_END = /\r\n|\r|\n/

/**
 * Reads the text of an event stream, however it is cut into pieces (WHATWG HTML, section 9.2.6). A block that has no end
 * is never told. The byte order mark is left to the decoder.
 */
export class Parser {
  readonly #host: ParserHost
  // The line that has begun.
  #line = ''
  #afterCr = false
  #event = ''
  #data: string[] = []
  #id: string | undefined

  constructor(host: ParserHost) {
    this.#host = host
  }

  push(piece: string): void {
    if (piece === '') return
    const text = this.#afterCr && piece.startsWith('\n') ? piece.slice(1) : piece
    this.#afterCr = piece.endsWith('\r')
    // Only the new piece is searched: a line of megabytes comes in many.
    const lines = text.split(LINE_END)
    const rest = lines.pop() ?? ''
    for (const line of lines) {
      const whole = this.#line + line
      this.#line = ''
      this.#take(whole)
    }
    this.#line += rest
  }

  #take(line: string): void {
    if (line === '') {
      this.#end()
      return
    }
    const colon = line.indexOf(':')
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1))
    if (field === 'data') this.#data.push(value)
    else if (field === 'event') this.#event = value
    else if (field === 'id' && !value.includes('\0')) this.#id = value
    else if (field === 'retry' && /^\d+$/.test(value)) this.#host.retry(Number(value))
  }

  #end(): void {
    const block = {
      event: this.#event || 'message',
      data: this.#data.length > 0 ? this.#data.join('\n') : undefined,
      id: this.#id,
    }
    this.#event = ''
    this.#data = []
    this.#id = undefined
    if (block.data !== undefined || block.id !== undefined) this.#host.block(block)
  }
}
