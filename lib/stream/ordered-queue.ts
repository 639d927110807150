import { BlockTracker } from '../wire/block.ts'
import { bytesOf, WriteQueue, type Frame, type Item } from './write-queue.ts'

/** A write that was made while the feed reads events from history that were published before it. */
interface Later {
  readonly bytes: Uint8Array
  readonly isRaw: boolean
}

/**
 * The queue of one client, in the order in which it is sent. Two kinds of data are held back:
 *
 * - While an application is in the middle of a block that it writes as raw bytes, everything else: it would become part
 *   of that block.
 * - While the feed reads events from history, everything written after those events were published.
 */
export class OrderedQueue {
  readonly #queue = new WriteQueue()
  #block: BlockTracker | undefined
  #behindBlock: Item[] | undefined
  #behindHistory: Later[] | undefined
  #heldBackBytes = 0

  /** Bytes that can be sent now. */
  get readyBytes(): number {
    return this.#queue.bytes
  }

  /** Bytes that are held back. */
  get heldBackBytes(): number {
    return this.#heldBackBytes
  }

  /** All bytes, including those held back. */
  get bytes(): number {
    return this.#queue.bytes + this.#heldBackBytes
  }

  /** Whether the queue is empty, apart from what is held back behind history. */
  get isEmpty(): boolean {
    return this.#queue.isEmpty && this.#behindBlock === undefined
  }

  /** Whether a new write may bypass the queue. */
  get isClear(): boolean {
    return this.#queue.isEmpty && this.#behindHistory === undefined && !this.isInBlock
  }

  /** Whether an application is in the middle of a block that it writes as raw bytes. */
  get isInBlock(): boolean {
    return this.#block !== undefined && !this.#block.isBetween
  }

  /** Adds bytes of whole blocks or lines. */
  add(bytes: Uint8Array): void {
    if (this.#behindHistory === undefined) this.addHistory(bytes)
    else this.#holdBack(this.#behindHistory, { bytes, isRaw: false })
  }

  /**
   * Adds raw bytes, which may end in the middle of a block. A block that has begun is completed before anything else is
   * sent.
   */
  addRaw(bytes: Uint8Array): void {
    this.#block ??= new BlockTracker()
    if (this.#behindHistory !== undefined && this.#block.isBetween) {
      this.#holdBack(this.#behindHistory, { bytes, isRaw: true })
      return
    }
    const end = this.#block.follow(bytes)
    if (this.#behindBlock === undefined || end === -1) {
      this.#queue.add(bytes)
      return
    }
    this.#queue.add(bytes.subarray(0, end))
    this.#releaseBehindBlock()
    this.#queue.add(bytes.subarray(end))
  }

  /** Adds what was read from history, before everything held back behind it. */
  addHistory(item: Item): void {
    if (!this.isInBlock) {
      this.#queue.add(item)
      return
    }
    this.#behindBlock ??= []
    this.#behindBlock.push(item)
    this.#heldBackBytes += bytesOf(item).length
  }

  /** Holds back everything added from now on, except history. */
  holdBehindHistory(): void {
    this.#behindHistory ??= []
  }

  /** Releases what was held back. Returns whether there was anything. */
  releaseBehindHistory(): boolean {
    const later = this.#behindHistory ?? []
    this.#behindHistory = undefined
    for (const { bytes, isRaw } of later) {
      this.#heldBackBytes -= bytes.length
      if (isRaw) this.addRaw(bytes)
      else this.add(bytes)
    }
    return later.length > 0
  }

  /** Removes and returns the first bytes that can be sent, at most `most`. */
  take(most: number): Uint8Array | undefined {
    return this.#queue.take(most)
  }

  /** Removes queued events that `isKept` rejects, except one that has been partly sent. */
  retain(isKept: (frame: Frame) => boolean): void {
    const keeps = (item: Item): boolean => item instanceof Uint8Array || isKept(item)
    this.#queue.retain(keeps)
    this.#keepBehindBlock(this.#behindBlock?.filter(keeps) ?? [])
  }

  /**
   * Prepares for the end: discards the queue, or releases what is held back behind history. What is held back behind an
   * unfinished block is never sent. Returns whether what remains ends with a whole block.
   */
  close(discards: boolean): boolean {
    let isWhole = true
    if (discards) {
      this.#heldBackBytes -= (this.#behindHistory ?? []).reduce((sum, { bytes }) => sum + bytes.length, 0)
      this.#behindHistory = undefined
      const removed = this.#queue.retain(() => false)
      isWhole = this.#block === undefined || !removed.some(item => item instanceof Uint8Array)
    } else this.releaseBehindHistory()
    this.#keepBehindBlock([])
    return isWhole && !this.isInBlock
  }

  /** Discards everything. */
  clear(): void {
    this.#queue.clear()
    this.#behindBlock = undefined
    this.#behindHistory = undefined
    this.#heldBackBytes = 0
  }

  #holdBack(later: Later[], write: Later): void {
    later.push(write)
    this.#heldBackBytes += write.bytes.length
  }

  #releaseBehindBlock(): void {
    const items = this.#behindBlock ?? []
    this.#keepBehindBlock([])
    for (const item of items) this.#queue.add(item)
  }

  #keepBehindBlock(items: Item[]): void {
    const before = this.#behindBlock ?? []
    this.#behindBlock = items.length === 0 ? undefined : items
    this.#heldBackBytes += sizeOf(items) - sizeOf(before)
  }
}

function sizeOf(items: readonly Item[]): number {
  return items.reduce((sum, item) => sum + bytesOf(item).length, 0)
}
