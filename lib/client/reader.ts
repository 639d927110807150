import { MOST_WAITING } from './limits.ts'

/** The bounded queue behind `for await`. */
export interface Reader<T> {
  readonly iterator: AsyncIterableIterator<T, undefined>
  readonly isFull: () => boolean
  take(value: T): void
  /** No more events are added. Queued ones can still be read. */
  end(): void
  /** Reading has stopped. */
  drop(): void
}

/**
 * @param full the queue has reached its limit
 * @param room the queue has room again
 * @param left the reader has stopped
 */
export function createReader<T>(full: () => void, room: () => void, left: () => void): Reader<T> {
  const done = { value: undefined, done: true } as const
  let items: T[] = []
  const waiting: ((result: IteratorResult<T, undefined>) => void)[] = []
  let isOver = false

  const isFull = (): boolean => items.length >= MOST_WAITING
  const end = (): void => {
    isOver = true
    for (const next of waiting.splice(0)) next(done)
  }
  const drop = (): void => {
    items = []
    end()
  }

  const iterator: AsyncIterableIterator<T, undefined> = {
    async next() {
      if (!items.length) return isOver ? done : new Promise(resolve => waiting.push(resolve))
      const value = items.shift() as T
      if (!items.length) room()
      return { value, done: false }
    },
    async return() {
      drop()
      left()
      return done
    },
    [Symbol.asyncIterator]: () => iterator,
  }

  return {
    iterator,
    isFull,
    take(value) {
      const next = waiting.shift()
      if (next) next({ value, done: false })
      else items.push(value)
      if (isFull()) full()
    },
    end,
    drop,
  }
}
