/** Who has one of the places of a key. Both words are the package's own. */
export interface Lease {
  readonly key: string
  readonly holder: string
}

/** What has become of places when one more was taken. */
export interface Supersession {
  /** What to renew and to release: an engine may keep in the holder's name how old the place is. */
  readonly lease: Lease
  /** Those who have lost theirs, as their own leases named them. */
  readonly superseded: readonly string[]
}

/** Places shared by all instances. They end unless they are renewed, so that those of an instance that died become free. */
export interface LeaseStore {
  /**
   * Takes a place for so many milliseconds if fewer than `most` of the key's places are taken, in one step. Who has one
   * already keeps it. Answers whether the holder has one now.
   */
  lease(lease: Lease, ttl: number, most: number): Promise<boolean>
  /**
   * Takes a place for so many milliseconds in any case. If more than `most` of the key's places are taken then, those that
   * have been longest are taken from their holders, in the same step; one that has been renewed is as old as before.
   */
  supersede(lease: Lease, ttl: number, most: number): Promise<Supersession>
  /** How many of a key's places are taken. Takes none. */
  taken(key: string): Promise<number>
  /** Prolongs leases, and takes places for those that have ended, however many are taken. Any number of leases. */
  renew(leases: readonly Lease[], ttl: number): Promise<void>
  /** Gives places back. Any number of leases, held or not. */
  release(leases: readonly Lease[]): Promise<void>
}
