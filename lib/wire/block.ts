const LF = 0x0a
const CR = 0x0d
const COLON = 0x3a

/**
 * Tracks block boundaries in bytes that an application writes unchanged (WHATWG HTML, section 9.2.6): anything inserted
 * into the middle of a block would become part of it.
 */
export class BlockTracker {
  #line: 'empty' | 'comment' | 'field' = 'empty'
  #hasFields = false
  #afterCr = false

  /** Whether the bytes end between two blocks: comments may be inserted here. */
  get isBetween(): boolean {
    return this.#line === 'empty' && !this.#hasFields
  }

  /** Consumes the next bytes. Returns the offset of the last block boundary in them, or -1 if there is none. */
  follow(bytes: Uint8Array): number {
    let end = -1
    for (let index = 0; index < bytes.length; index += 1) {
      const byte = bytes[index]
      const isSecondHalf = this.#afterCr && byte === LF
      this.#afterCr = byte === CR
      if (byte === LF || byte === CR) {
        if (!isSecondHalf) this.#endLine()
      } else if (this.#line === 'empty') this.#line = byte === COLON ? 'comment' : 'field'
      if (this.isBetween) end = index + 1
    }
    return end
  }

  #endLine(): void {
    if (this.#line === 'empty') this.#hasFields = false
    else if (this.#line === 'field') this.#hasFields = true
    this.#line = 'empty'
  }
}
