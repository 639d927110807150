import type { Clock } from '../../clock.ts'
import type { Lease, LeaseStore, Supersession } from '../lease-store.ts'
import { Sweep } from './sweep.ts'

/** When each holder's lease expires, on the monotonic clock; the oldest lease first. */
type Places = Map<string, number>

/** Leases in this process's memory. */
export class MemoryLeases implements LeaseStore {
  readonly #clock: Clock
  readonly #keys = new Map<string, Places>()
  readonly #sweep = new Sweep(this.#keys, places => this.#taken(places) === 0)

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async lease({ key, holder }: Lease, ttl: number, most: number): Promise<boolean> {
    const places = this.#keys.get(key)
    if (places !== undefined && this.#taken(places) >= most && !places.has(holder)) return false
    this.#take(key, holder, ttl)
    return true
  }

  async supersede(lease: Lease, ttl: number, most: number): Promise<Supersession> {
    this.#take(lease.key, lease.holder, ttl)
    const places = this.#keys.get(lease.key) ?? new Map<string, number>()
    const others = Math.max(0, this.#taken(places) - most)
    const superseded = [...places.keys()].filter(holder => holder !== lease.holder).slice(0, others)
    for (const holder of superseded) places.delete(holder)
    return { lease, superseded }
  }

  async taken(key: string): Promise<number> {
    const places = this.#keys.get(key)
    return places === undefined ? 0 : this.#taken(places)
  }

  async renew(leases: readonly Lease[], ttl: number): Promise<void> {
    for (const { key, holder } of leases) this.#take(key, holder, ttl)
  }

  async release(leases: readonly Lease[]): Promise<void> {
    for (const { key, holder } of leases) {
      const places = this.#keys.get(key)
      places?.delete(holder)
      if (places?.size === 0) this.#keys.delete(key)
    }
  }

  #take(key: string, holder: string, ttl: number): void {
    this.#sweep.go()
    const places = this.#keys.get(key) ?? new Map<string, number>()
    places.set(holder, this.#clock.monotonic() + ttl)
    this.#keys.set(key, places)
  }

  // The number of leases, after removing expired ones.
  #taken(places: Places): number {
    const now = this.#clock.monotonic()
    for (const [holder, until] of places) if (until <= now) places.delete(holder)
    return places.size
  }
}
