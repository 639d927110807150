import { MOST_WAITING } from './limits.ts'
import { isUpTo } from './position.ts'

/** An event, as it is told. */
export interface Message {
  readonly event: string
  readonly data: string
  /** Its own id, or that of the last event before it that had one. */
  readonly id: string
  /** Whether that is its own. */
  readonly hasId: boolean
}

/** Events on their way to the application: they wait in order while anything holds them, such as a state that is being loaded. */
export interface Inbox {
  take(message: Message): void
  /** Keeps events waiting that come from now on, until what it answers is released; all, too, that wait already, for `ALL`. */
  hold(holder?: number): number
  /** Tells what waits for nothing any more. */
  release(holder?: number): void
  /** Tells no events up to this id: the state that was loaded includes them. */
  include(cursor: string): void
  /** Does not tell these events: the page has shown what it did itself. */
  skip(ids: readonly string[]): void
  /** Forgets what waits and has an id, or all of it. */
  drop(isAll?: boolean): void
}

/** The holder of all events. */
export const ALL = 0

/**
 * @param deliver tells the application
 * @param full as many wait as may
 * @param empty nothing waits any more
 */
export function createInbox(
  deliver: (event: string, data: string, id: string) => void,
  full: () => void,
  empty: () => void,
): Inbox {
  // With the latest holder that each has to wait for.
  let waiting: (readonly [latest: number, Message])[] = []
  const holds = new Set<number>()
  let latest = ALL
  // What the application's state includes.
  let included = ''
  const own = new Set<string>()

  // A listener may have more of them wait, or end it all.
  const flush = (): void => {
    for (let first; (first = waiting[0]);) {
      if (Math.min(...holds) <= first[0]) return
      waiting.shift()
      const { event, data, id, hasId } = first[1]
      // Those without an id of their own are in no history, and in no state.
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
      // Those of events that never came.
      if (own.size > MOST_WAITING) own.clear()
      for (const id of ids) own.add(id)
    },
    drop(isAll) {
      waiting = waiting.filter(([, { hasId }]) => !isAll && !hasId)
    },
  }
}
