import { MOST_WAITING } from './inbox.ts'

/** Who is told. */
export interface ReaderHost {
  /** As many wait as may. */
  full(): void
  /** There is room again. */
  room(): void
  /** Nobody reads any more. */
  left(): void
}

/** What `for await` reads: a bounded queue. */
export class Reader<T> implements AsyncIterableIterator<T, undefined> {
  readonly #host: ReaderHost
  #items: T[] = []
  #waiting: ((result: IteratorResult<T, undefined>) => void)[] = []
  #isOver = false

  constructor(host: ReaderHost) {
    this.#host = host
  }

  get isFull(): boolean {
    return this.#items.length >= MOST_WAITING
  }

  push(value: T): void {
    const next = this.#waiting.shift()
    if (next !== undefined) next({ value, done: false })
    else {
      this.#items.push(value)
      if (this.isFull) this.#host.full()
    }
  }

  /** Nothing more comes. What waits can still be read. */
  end(): void {
    this.#isOver = true
    for (const next of this.#waiting.splice(0)) next({ value: undefined, done: true })
  }

  clear(): void {
    this.#items = []
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    if (this.#items.length > 0) {
      const [value] = this.#items.splice(0, 1) as [T]
      if (this.#items.length === 0) this.#host.room()
      return { value, done: false }
    }
    if (this.#isOver) return { value: undefined, done: true }
    return new Promise(resolve => this.#waiting.push(resolve))
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    this.clear()
    this.end()
    this.#host.left()
    return { value: undefined, done: true }
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}
