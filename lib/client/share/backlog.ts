import type { Message } from '../inbox.ts'
import { isUpTo } from '../position.ts'
import { MOST_CHARACTERS, MOST_KEPT } from './limits.ts'

/** The latest messages without a hole, for tabs that come back. */
export interface Backlog {
  add(message: Message): void
  /** What came after this id; `undefined` where that is not known any more, or never was. */
  after(cursor: string): Message[] | undefined
  /** Begins anew behind this id; empty where there is none yet. */
  reset(cursor: string): void
}

export function createBacklog(cursor: string): Backlog {
  // The id behind which nothing is missing.
  let floor = cursor
  let kept: Message[] = []
  let characters = 0

  // Whoever stands before a gap must not come out behind it: what goes with it is the next place.
  const trim = (): void => {
    const next = kept.findIndex(({ hasId }) => hasId)
    floor = kept[next]?.id ?? ''
    const dropped = kept.splice(0, next < 0 ? kept.length : next + 1)
    for (const { data } of dropped) characters -= data.length
  }

  return {
    add(message) {
      // Others without an id of their own are in no history.
      if (!message.hasId && message.event !== 'gap') return
      if (!floor) {
        if (message.hasId) floor = message.id
        return
      }
      kept.push(message)
      characters += message.data.length
      while (kept.length > MOST_KEPT || characters > MOST_CHARACTERS) trim()
    },
    after(cursor) {
      const isBefore = (id: string): boolean => id === cursor || isUpTo(id, cursor)
      const last = kept.findLastIndex(({ id, hasId }) => hasId && isBefore(id))
      return last >= 0 || (floor && isBefore(floor)) ? kept.slice(last + 1) : undefined
    },
    reset(cursor) {
      floor = cursor
      kept = []
      characters = 0
    },
  }
}
