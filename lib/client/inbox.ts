import { MOST_WAITING } from './limits.ts'
import { isUpTo } from './position.ts'

/** An event, as delivered. */
export interface Message {
  readonly event: string
  readonly data: string
  /** Its own id, or that of the last event before it that had one. */
  readonly id: string
  /** Whether the id is its own. */
  readonly hasId: boolean
}

/**
 * Events to be delivered to the application: they are queued in order while there is a hold, such as during a load of
 * the state.
 */
export interface Inbox {
  take(message: Message): void
  /** Queues events from now on, until the returned holder is released; `ALL` includes those already queued. */
  hold(holder?: number): number
  /** Delivers events without remaining holds. */
  release(holder?: number): void
  /** Drops events up to this id: the loaded state includes them. */
  include(cursor: string): void
  /** Drops these events: the page has already shown its own action. */
  skip(ids: readonly string[]): void
  /** Discards the queued events that have an id, or all. */
  drop(isAll?: boolean): void
}

/** The holder of all events. */
export const ALL = 0

/**
 * @param deliver passes an event to the application
 * @param full the queue has reached its limit
 * @param empty the queue is empty
 */
export function createInbox(
  deliver: (event: string, data: string, id: string) => void,
  full: () => void,
  empty: () => void,
): Inbox {
  // Each with the latest holder that it waits for.
  let waiting: (readonly [latest: number, Message])[] = []
  const holds = new Set<number>()
  let latest = ALL
  // The cursor that the application's state includes.
  let included = ''
  const own = new Set<string>()

  // A listener may add a hold, or close the stream.
  const flush = (): void => {
    for (let first; (first = waiting[0]);) {
      if (Math.min(...holds) <= first[0]) return
      waiting.shift()
      const { event, data, id, hasId } = first[1]
      // Events without an id of their own are neither in history nor in the state.
      if (!hasId || event === 'cursor' || !(isUpTo(id, included) || own.delete(id))) deliver(event, data, id)
    }
    empty()
  }

  return {
    take(message) {
      waiting.push([latest, message])
      flush()
      if (waiting.length >= MOST_WAITING) full()
    },
    hold(holder = ++latest) {
      holds.add(holder)
      return holder
    },
    release(holder = -1) {
      holds.delete(holder)
      flush()
    },
    include(cursor) {
      if (cursor && !isUpTo(cursor, included)) included = cursor
    },
    skip(ids) {
      // Ids of events that never arrived.
      if (own.size > MOST_WAITING) own.clear()
      for (const id of ids) own.add(id)
    },
    drop(isAll) {
      waiting = waiting.filter(([, { hasId }]) => !isAll && !hasId)
    },
  }
}
