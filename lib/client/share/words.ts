/**
 * What tabs say to each other. They may be of different builds: these names are never shortened, and whoever changes them
 * changes the key.
 */
import type { Message } from '../inbox.ts'
import type { Reason, State } from '../reasons.ts'

/** What the lock and the channel of one stream of one identity are called. */
export function keyOf({ name, identity }: Share): string {
  return `koa-event-stream 1 ${JSON.stringify([name, identity])}`
}

/** Tabs share a connection where both are the same. */
export interface Share {
  /** Of the stream. */
  readonly name: string
  /** Whose stream it is: the id of the login, or of the user. Tabs of another one have a connection of their own. */
  readonly identity: string
}

/** An event, without an id where it has none of its own. */
export type Packed = readonly [event: string, data: string, id?: string]

/** What a tab asks of whoever leads. */
export interface Question {
  /** `join`: send me what comes after my cursor. `names`: show me these, too. `alive`: are you there? */
  readonly ask: 'join' | 'names' | 'alive'
  /** Who asks, for an answer. */
  readonly tab: string
  /** The id up to which it has read; empty where it begins. */
  readonly cursor: string
  /** The events that it listens to. */
  readonly names: readonly string[]
}

/** What a leader tells. */
export interface Told {
  /** Rises from leader to leader, as text. No two have the same. */
  readonly term: string
  readonly state: State
  readonly reason: Reason
  readonly url: string
  readonly isHidden: boolean
  /** Whom it answers; all the others, where it is nobody. */
  readonly to?: string
  /** Where those begin that have no cursor: empty where that has to be seen. */
  readonly from?: string
  /** All names that the connection shows, from now on. */
  readonly names?: readonly string[]
  /** Some of them have not been shown so far, and may have been passed over. */
  readonly isNew?: boolean
  readonly events?: readonly Packed[]
  /** It leads no more. */
  readonly isOver?: boolean
}

export const pack = ({ event, data, id, hasId }: Message): Packed => (hasId ? [event, data, id] : [event, data])
