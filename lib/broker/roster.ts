/** Milliseconds after which an engine may delete data that is not refreshed. */
export const KEPT_FOR = 3_600_000

/** The most changes in one call: the roster is blocked meanwhile. */
export const MOST_CHANGES = 500

/**
 * Membership and presence: which instances are alive, and which identities each of them has at which topics. An
 * instance renews one lease, however many streams it has. Whoever notices that an instance is dead removes its entries.
 *
 * A topic's presence has a version that changes with every visible change. A changed topic is pending until its current
 * version has been announced: nothing is lost if the announcing instance dies.
 */
export interface Roster {
  /**
   * Renews an instance's lease for `ttl` milliseconds. Returns the number of its last known change, 0 if it has made
   * none; `undefined` if its lease had expired: others may have removed all its entries.
   */
  beat(instance: string, ttl: number): Promise<number | undefined>
  /** The instances alive now. */
  instances(): Promise<readonly string[]>
  /** An instance leaves. Its remaining entries are removed as for a dead one. */
  retire(instance: string): Promise<void>

  /**
   * Records who has joined and left on an instance, atomically: at most `MOST_CHANGES`.
   *
   * @param number increases with each call of an instance. A call with a lower number than a later one has no effect.
   * @returns the topics whose visible presence has changed
   */
  change(instance: string, number: number, changes: readonly RosterChange[]): Promise<readonly string[]>
  /** The entries of an instance. */
  entries(instance: string): Promise<readonly RosterEntry[]>
  /**
   * Who is present at a topic, on all instances, without duplicates: all if they are at most `most`, otherwise that
   * many.
   */
  present(topic: string, most: number): Promise<Present>
  /** The version of a topic has been announced. Returns whether it is still current, so that nothing is pending. */
  told(topic: string, version: string): Promise<boolean>
  /**
   * Work left by others: dead instances, and some of the topics pending for `untoldFor` milliseconds. The caller is
   * expected to handle them; other callers do not get the same topics for that long.
   */
  chores(untoldFor: number): Promise<Chores>
  /**
   * Removes all entries of a dead instance, unless it is alive again. Returns the topics whose presence has changed.
   */
  bury(instance: string): Promise<readonly string[]>
}

/** An identity at a topic. */
export interface RosterEntry {
  readonly topic: string
  readonly id: string
}

/** An identity has joined a topic, or its info has changed; without `info` it has left. */
export interface RosterChange extends RosterEntry {
  /** JSON, never empty. */
  readonly info: string | undefined
}

/** Who is present at a topic. */
export interface Present {
  readonly version: string
  readonly count: number
  /** In order of joining, if all are included. */
  readonly members: readonly { readonly id: string; readonly info: string }[]
}

export interface Chores {
  readonly dead: readonly string[]
  readonly untold: readonly string[]
}
