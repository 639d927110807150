import type { Lease, LeaseStore } from '../broker/lease-store.ts'
import type { Clock } from '../clock.ts'

// Parts of the lease, so that a death is told within it: a place ends, two looks find it free. A producer that is alive
// renews in between the two, also where all places have been lost with their Redis.
const TTL = 0.5
const RENEWAL = 0.15
const LOOK = 0.2
const MISSES = 2

/** What is to be told when a run's producer has died. */
export interface Watched {
  /** Whether anything has been heard of the run since it was last asked: then its producer lives. */
  hasBeenHeard(): boolean
  died(): void
}

/**
 * The proof that the producers of runs live: each has a place of its own that ends unless it is renewed. This instance
 * renews those of its own producers, and looks after those of the runs that it has readers of. There are two timers for all
 * of them, and none where there is nothing to do.
 */
export class Lifelines {
  readonly #leases: LeaseStore
  readonly #clock: Clock
  readonly #lease: number
  readonly #failed: (error: unknown) => void
  // By the name of the run.
  readonly #own = new Map<string, readonly Lease[]>()
  // How often in a row the place was found free.
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

  /** How many producers this instance has. */
  get size(): number {
    return this.#own.size
  }

  /**
   * Takes a place for a producer, and one of `most` of its user's. Answers whether there was one.
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
      // What is being renewed at this moment ends by itself.
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
      // Nobody can tell just now. The hub's `lost` event tells of the broker.
      return
    }
    // Again, should its end not come: the log may have lost that with its history.
    const isDead = watched.misses > 0 && watched.misses % MISSES === 0
    if (isDead && this.#watched.get(name) === watched) watched.run.died()
  }
}

function keyOf(run: string): string {
  return `relay:life:${run}`
}
