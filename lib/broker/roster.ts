/** Milliseconds after which an engine may forget what has not been said again, so that nothing is left behind. */
export const KEPT_FOR = 3_600_000

/** How many changes an instance may tell at once: whoever keeps the roster does nothing else meanwhile. */
export const MOST_CHANGES = 500

/**
 * Who is there: which instances live, and which identities each of them has at which topics. Instances are known for as long
 * as they go on saying that they live: one lease an instance, however many streams it has. What a dead one had is taken away
 * by whoever notices.
 *
 * What is known of a topic has a version, which moves with every change that can be seen. A topic that has changed counts as
 * untold until somebody says that its present version has been told: nothing is lost with who was about to tell it.
 */
export interface Roster {
  /**
   * Says that an instance lives, for so many milliseconds from now. Answers the number of its last change that is known, 0
   * where it has made none; or nothing if it was not known to live: others may have taken it for dead, and taken away all
   * that it had.
   */
  beat(instance: string, ttl: number): Promise<number | undefined>
  /** The instances that live now. */
  instances(): Promise<readonly string[]>
  /** An instance says that it is gone. What it still has is taken away as of one that died. */
  retire(instance: string): Promise<void>

  /**
   * An instance says who has come and who has left, in one step: at most `MOST_CHANGES`.
   *
   * @param number rises with each call of an instance. One that comes behind a later one changes nothing.
   * @returns the topics of which something else is known now than before
   */
  change(instance: string, number: number, changes: readonly RosterChange[]): Promise<readonly string[]>
  /** What is known of an instance. */
  entries(instance: string): Promise<readonly RosterEntry[]>
  /** Who is present at a topic, on whatever instances, each once: all of them if they are no more than `most`, or so many. */
  present(topic: string, most: number): Promise<Present>
  /**
   * The version of a topic has been told. Answers whether it is still the present one, and nothing is untold.
   */
  told(topic: string, version: string): Promise<boolean>
  /**
   * What others have left undone: instances that have died, and topics that have been untold for so many milliseconds, some
   * of them. Whoever asks is expected to see to them; others are not told of the same topics for as long again.
   */
  chores(untoldFor: number): Promise<Chores>
  /** Takes away all that a dead instance had, unless it lives again. Answers the topics of which something else is known now. */
  bury(instance: string): Promise<readonly string[]>
}

/** Somebody at a topic. */
export interface RosterEntry {
  readonly topic: string
  readonly id: string
}

/** Somebody has come to a topic, or what is said of him has changed; without `info` he has left. */
export interface RosterChange extends RosterEntry {
  /** JSON, never empty. */
  readonly info: string | undefined
}

/** Who is present at a topic. */
export interface Present {
  readonly version: string
  readonly count: number
  /** In the order in which they came, where they are all. */
  readonly members: readonly { readonly id: string; readonly info: string }[]
}

export interface Chores {
  readonly dead: readonly string[]
  readonly untold: readonly string[]
}
