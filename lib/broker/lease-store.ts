/** A holder's lease of one of a key's places. The package chooses both names. */
export interface Lease {
  readonly key: string
  readonly holder: string
}

/** The result of `supersede`. */
export interface Supersession {
  /** The lease to renew and to release: an engine may add its age to the holder's name. */
  readonly lease: Lease
  /** The holders that lost theirs, as named in their leases. */
  readonly superseded: readonly string[]
}

/** Leases shared by all instances. They expire unless renewed, so that those of a crashed instance become free. */
export interface LeaseStore {
  /**
   * Takes a lease for `ttl` milliseconds if fewer than `most` of the key are taken, atomically. An existing lease of
   * the holder is kept. Returns whether the holder has one now.
   */
  lease(lease: Lease, ttl: number, most: number): Promise<boolean>
  /**
   * Takes a lease for `ttl` milliseconds in any case. If more than `most` of the key are then taken, the oldest are
   * revoked, atomically; renewal does not change a lease's age.
   */
  supersede(lease: Lease, ttl: number, most: number): Promise<Supersession>
  /** The number of leases taken of a key. */
  taken(key: string): Promise<number>
  /** Renews leases, and takes expired ones again, however many are taken. Any number of leases. */
  renew(leases: readonly Lease[], ttl: number): Promise<void>
  /** Releases leases. Any number, held or not. */
  release(leases: readonly Lease[]): Promise<void>
}
