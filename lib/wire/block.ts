const LF = 0x0a
const CR = 0x0d
const COLON = 0x3a

/**
 * Follows bytes that an application writes as they are, and knows where blocks end in them (WHATWG HTML, section 9.2.6):
 * anything that is put into the middle of a block would become a part of it.
 */
export class BlockTracker {
  #line: 'empty' | 'comment' | 'field' = 'empty'
  #hasFields = false
  #afterCr = false

  /** Whether no block has begun: comments may stand between two. */
  get isBetween(): boolean {
    return this.#line === 'empty' && !this.#hasFields
  }

  /** Takes in the next bytes. Answers after how many of them no block had begun for the last time, -1 for never. */
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
