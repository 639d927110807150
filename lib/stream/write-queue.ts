import { Buffer } from 'node:buffer'

/** An event from the log, queued as a whole so that it can still be removed. */
export interface Frame {
  readonly frame: Uint8Array
}

/** A queue entry: an event from the log, or bytes for this client only. */
export type Item = Frame | Uint8Array

// Shared by all queues that are empty.
const NOTHING: readonly Item[] = Object.freeze([])

/** A queue of bytes, read in pieces. */
export class WriteQueue {
  #items: Item[] = NOTHING as Item[]
  // How many items at the front have been read, and how many bytes of the first remaining one.
  #head = 0
  #offset = 0
  #bytes = 0

  /** The number of bytes in the queue. */
  get bytes(): number {
    return this.#bytes
  }

  get isEmpty(): boolean {
    return this.#head === this.#items.length
  }

  add(item: Item): void {
    const { length } = bytesOf(item)
    // In chunked coding an empty chunk would end the response.
    if (length === 0) return
    if (this.#items === NOTHING) this.#items = []
    this.#items.push(item)
    this.#bytes += length
  }

  /** Removes and returns the first bytes, at most `most`; `undefined` if the queue is empty. */
  take(most: number): Uint8Array | undefined {
    const pieces: Uint8Array[] = []
    let room = most
    for (let item = this.#items[this.#head]; item !== undefined && room > 0; item = this.#items[this.#head]) {
      const bytes = bytesOf(item)
      const rest = this.#offset === 0 ? bytes : bytes.subarray(this.#offset)
      pieces.push(rest.length <= room ? rest : rest.subarray(0, room))
      if (rest.length <= room) {
        this.#head += 1
        this.#offset = 0
      } else this.#offset += room
      room -= Math.min(rest.length, room)
    }
    this.#bytes -= most - room
    if (this.isEmpty) this.#reset(NOTHING as Item[])
    else if (this.#head * 2 > this.#items.length) this.#reset(this.#items.slice(this.#head))
    return pieces.length > 1 ? Buffer.concat(pieces) : pieces[0]
  }

  /** Removes the items that `isKept` rejects, except one that has been partly read. Returns the removed ones. */
  retain(isKept: (item: Item) => boolean): readonly Item[] {
    const items = this.#items.slice(this.#head)
    const begun = this.#offset > 0 ? items.shift() : undefined
    const kept = items.filter(isKept)
    if (kept.length === items.length) return NOTHING
    this.#reset(begun === undefined ? kept : [begun, ...kept])
    this.#bytes = this.#items.reduce((sum, item) => sum + bytesOf(item).length, 0) - this.#offset
    return items.filter(item => !kept.includes(item))
  }

  clear(): void {
    this.#reset(NOTHING as Item[])
    this.#offset = 0
    this.#bytes = 0
  }

  #reset(items: Item[]): void {
    this.#items = items
    this.#head = 0
  }
}

export function bytesOf(item: Item): Uint8Array {
  return item instanceof Uint8Array ? item : item.frame
}
