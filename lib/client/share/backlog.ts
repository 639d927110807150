import type { Message } from '../inbox.ts'
import { isUpTo } from '../position.ts'
import { MOST_CHARACTERS, MOST_KEPT } from './limits.ts'

/** The latest messages without a gap, for tabs that catch up. */
export interface Backlog {
  add(message: Message): void
  /** The messages after this id; `undefined` if the backlog does not reach back to it. */
  after(cursor: string): Message[] | undefined
  /** Starts again after this id; empty if there is none yet. */
  reset(cursor: string): void
}

export function createBacklog(cursor: string): Backlog {
  // Nothing after this id is missing.
  let floor = cursor
  let kept: Message[] = []
  let characters = 0

  // Drop a gap only together with the next position: a tab before it must not skip it.
  const trim = (): void => {
    const next = kept.findIndex(({ hasId }) => hasId)
    floor = kept[next]?.id ?? ''
    const dropped = kept.splice(0, next < 0 ? kept.length : next + 1)
    for (const { data } of dropped) characters -= data.length
  }

  return {
    add(message) {
      // Other messages without an id of their own are not in history.
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
