/**
 * Who is there. Instances are known for as long as they go on saying that they live: one lease an instance, however many
 * streams it has.
 */
export interface Roster {
  /**
   * Says that an instance lives, for so many milliseconds from now. Answers whether it was known to live until now: if not,
   * others may have taken it for dead, and have acted on that.
   */
  beat(instance: string, ttl: number): Promise<boolean>
  /** The instances that live now. */
  instances(): Promise<readonly string[]>
  /** An instance says that it is gone. */
  retire(instance: string): Promise<void>
}
