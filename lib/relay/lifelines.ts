import type { Lease, LeaseStore } from '../broker/lease-store.ts'
import type { Clock } from '../clock.ts'

// Fractions of `lease`, so that a death is detected within it: the producer's lease expires, and two checks find it
// free. A living producer renews it between the two, even if all leases have been lost with their Redis.
const TTL = 0.5
const RENEWAL = 0.15
const LOOK = 0.2
const MISSES = 2

/** A run whose producer is monitored. */
export interface Watched {
  /** Whether anything has been received from the run since the last call: then its producer is alive. */
  hasBeenHeard(): boolean
  died(): void
}

/**
 * Liveness of the producers: each has a lease of its own that expires unless renewed. This instance renews those of its
 * own producers, and checks those of the runs that it has readers of. Two timers serve all of them, and none runs while
 * there is nothing to do.
 */
export class Lifelines {
  readonly #leases: LeaseStore
  readonly #clock: Clock
  readonly #lease: number
  readonly #failed: (error: unknown) => void
  // By name of the run.
  readonly #own = new Map<string, readonly Lease[]>()
  // `misses`: how often in a row the lease was found free.
  readonly #watched = new Map<string, { readonly run: Watched; misses: number }>()
  #stopRenewing: (() => void) | undefined
  #stopLooking: (() => void) | undefined
  #isRenewing = false
  #isLooking = false

  constructor(leases: LeaseStore, clock: Clock, lease: number, failed: (error: unknown) => void) {
    this.#leases = leases
    this.#clock = clock
    this.#lease = lease
    this.#failed = failed
  }

  /** The number of producers on this instance. */
  get size(): number {
    return this.#own.size
  }

  /**
   * Takes a producer's lease, and one of the `most` leases of its user. Returns whether one was free.
   *
   * @throws {EventStreamError} `ERR_BROKER`, as a rejection
   */
  async take(run: string, of: string, most: number): Promise<boolean> {
    const own: Lease[] = [
      { key: keyOf(run), holder: run },
      { key: of, holder: run },
    ]
    if (!(await this.#leases.lease({ key: of, holder: run }, this.#ttl, most))) return false
    await this.#leases.renew(own, this.#ttl)
    this.#own.set(run, own)
    this.#stopRenewing ??= this.#clock.every(this.#lease * RENEWAL, () => void this.#renew())
    return true
  }

  async giveBack(run: string): Promise<void> {
    const leases = this.#own.get(run)
    if (leases === undefined) return
    this.#own.delete(run)
    if (this.#own.size === 0) {
      this.#stopRenewing?.()
      this.#stopRenewing = undefined
    }
    try {
      // A renewal in flight may outlast this; that lease expires by itself.
      await this.#leases.release(leases)
    } catch (error) {
      this.#failed(error)
    }
  }

  watch(name: string, run: Watched): void {
    this.#watched.set(name, { run, misses: 0 })
    this.#stopLooking ??= this.#clock.every(this.#lease * LOOK, () => void this.#look())
  }

  unwatch(name: string): void {
    this.#watched.delete(name)
    if (this.#watched.size > 0) return
    this.#stopLooking?.()
    this.#stopLooking = undefined
  }

  get #ttl(): number {
    return Math.ceil(this.#lease * TTL)
  }

  async #renew(): Promise<void> {
    if (this.#isRenewing) return
    this.#isRenewing = true
    try {
      await this.#leases.renew([...this.#own.values()].flat(), this.#ttl)
    } catch (error) {
      this.#failed(error)
    }
    this.#isRenewing = false
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return
    this.#isLooking = true
    await Promise.all([...this.#watched].map(([name]) => this.#lookAt(name)))
    this.#isLooking = false
  }

  async #lookAt(name: string): Promise<void> {
    const watched = this.#watched.get(name)
    if (watched === undefined) return
    try {
      const lives = this.#own.has(name) || watched.run.hasBeenHeard() || (await this.#leases.taken(keyOf(name))) > 0
      watched.misses = lives ? 0 : watched.misses + 1
    } catch {
      // Unknown for now. The hub reports the broker's failure as `lost`.
      return
    }
    // Repeated while no end arrives: the log may have lost it with its history.
    const isDead = watched.misses > 0 && watched.misses % MISSES === 0
    if (isDead && this.#watched.get(name) === watched) watched.run.died()
  }
}

function keyOf(run: string): string {
  return `relay:life:${run}`
}
