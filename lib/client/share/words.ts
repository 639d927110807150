/**
 * The messages between tabs. Tabs may run different builds: these names are never minified, and a change of them
 * requires a change of the key.
 */
import type { Message } from '../inbox.ts'
import type { Reason, State } from '../reasons.ts'

/** The name of the lock and the channel of an identity's stream. */
export function keyOf({ name, identity }: Share): string {
  return `koa-event-stream 1 ${JSON.stringify([name, identity])}`
}

/** Tabs share a connection if both are the same. */
export interface Share {
  /** The name of the stream. */
  readonly name: string
  /** The id of the login or the user. Tabs of another identity have their own connection. */
  readonly identity: string
}

/** An event, with an id only if it has its own. */
export type Packed = readonly [event: string, data: string, id?: string]

/** A tab's request to the leader. */
export interface Question {
  /** `join`: send me everything after my cursor. `names`: deliver these, too. `alive`: ping. */
  readonly ask: 'join' | 'names' | 'alive'
  /** The tab to respond to. */
  readonly tab: string
  /** Its cursor; empty for a new tab. */
  readonly cursor: string
  /** The events that it listens to. */
  readonly names: readonly string[]
}

/** A leader's message. */
export interface Told {
  /** The leader's term as text: increases with each leader, unique. */
  readonly term: string
  readonly state: State
  readonly reason: Reason
  readonly url: string
  readonly isHidden: boolean
  /** The recipient; all tabs if absent. */
  readonly to?: string
  /** The starting cursor of tabs without one: empty if not yet known. */
  readonly from?: string
  /** All names that the connection delivers from now on. */
  readonly names?: readonly string[]
  /** Some of them are new, and earlier events may have been missed. */
  readonly isNew?: boolean
  readonly events?: readonly Packed[]
  /** The leader has resigned. */
  readonly isOver?: boolean
}

export const pack = ({ event, data, id, hasId }: Message): Packed => (hasId ? [event, data, id] : [event, data])
