import type { Roster } from '../broker/roster.ts'
import type { Clock } from '../clock.ts'
import { within } from '../deadline.ts'

/** Default milliseconds until the other instances consider a crashed instance gone. */
export const DEFAULT_LEASE = 10_000

/** In milliseconds. A process whose event loop is blocked for longer than its lease is considered dead. */
export const SHORTEST_LEASE = 3_000

// Fractions of the lease. An instance that checks for dead ones at each beat finds one after at most 0.8 of the lease
// (0.6 + 0.2); the rest is left to announce it.
const TTL = 0.6
const BEAT = 0.2

// The timeout of a call to the roster, in milliseconds.
const ANSWER_TIMEOUT = 1_000

// The last characters of a random identifier: enough for unique names.
const ID_LENGTH = 12

/** What this needs of the hub. */
export interface InstancesHub {
  readonly broker: { readonly roster: Pick<Roster, 'beat' | 'instances' | 'retire'> }
  readonly clock: Clock
  failed(during: string, error: unknown): void
}

/**
 * This instance's membership among the instances of the application. From its first stream until the hub is closed it
 * sends heartbeats to the roster, by one timer; instances that never had a stream are not members.
 */
export class Instances {
  /** The name of this instance. */
  readonly id: string
  /** The number of its last change that the roster has acknowledged. */
  told = 0

  readonly #hub: InstancesHub
  readonly #lease: number
  readonly #lapsed: (() => void)[] = []
  readonly #beats: (() => void)[] = []
  // The beat in progress.
  #beating: Promise<void> | undefined
  #stop: (() => void) | undefined
  #isKnown = false
  #hasFailed = false
  #isClosed = false

  constructor(hub: InstancesHub, lease = DEFAULT_LEASE) {
    this.#hub = hub
    this.#lease = lease
    this.id = hub.clock.id().slice(-ID_LENGTH)
  }

  /**
   * Joins the members. Returns nothing if this instance has joined already, or a promise that resolves once it has, or
   * the roster has failed: joining is retried at the next beat.
   */
  enter(): void | Promise<void> {
    if (this.#isKnown || this.#isClosed) return
    this.#stop ??= this.#hub.clock.every(this.#lease * BEAT, () => void this.#beat())
    return this.#beat()
  }

  /**
   * The instances alive now, including this one once it has joined.
   *
   * @throws {EventStreamError} `ERR_BROKER`, as a rejection
   */
  all(): Promise<readonly string[]> {
    return this.#hub.broker.roster.instances()
  }

  /** Calls back after each beat that the roster has acknowledged. */
  onBeat(listener: () => void): void {
    this.#beats.push(listener)
  }

  /**
   * Calls back when a beat shows that this instance's lease had expired, so that others may have considered it dead, or
   * that the roster has lost changes.
   */
  onLapse(listener: () => void): void {
    this.#lapsed.push(listener)
  }

  /** Leaves the members. Resolves once the roster knows, or has failed. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#stop?.()
    if (this.#stop === undefined) return
    await this.#beating
    try {
      await this.#inTime(this.#hub.broker.roster.retire(this.id))
    } catch {
      // The lease expires by itself.
    }
  }

  #beat(): Promise<void> {
    this.#beating ??= this.#renew().finally(() => {
      this.#beating = undefined
    })
    return this.#beating
  }

  async #renew(): Promise<void> {
    const wasKnown = this.#isKnown
    const told = this.told
    try {
      const known = await this.#inTime(this.#hub.broker.roster.beat(this.id, this.#lease * TTL))
      this.#isKnown = true
      this.#hasFailed = false
      if (known === undefined ? wasKnown || told > 0 : known < told) for (const listener of this.#lapsed) listener()
      for (const listener of this.#beats) listener()
    } catch (error) {
      // Reported once per outage: the hub's events `lost` and `ready` report the rest.
      if (!this.#hasFailed) this.#hub.failed('instances', error)
      this.#hasFailed = true
    }
  }

  #inTime<T>(answer: Promise<T>): Promise<T> {
    const late = () => new Error(`the roster of instances did not answer within ${String(ANSWER_TIMEOUT)} ms`)
    return within(this.#hub.clock, ANSWER_TIMEOUT, answer, late)
  }
}
