import type { Roster } from '../broker/roster.ts'
import type { Clock } from '../clock.ts'
import { within } from '../deadline.ts'

/** Milliseconds after which an instance that has died is known to be gone, unless told otherwise. */
export const DEFAULT_LEASE = 10_000

/** A process that is busy for longer than its lease would be taken for dead. */
export const SHORTEST_LEASE = 3_000

// Parts of the lease. Whoever looks for the dead at each beat finds one after 0.8 of it, and has the rest to tell.
const TTL = 0.6
const BEAT = 0.2

// Milliseconds that the roster may take to take note of a beat.
const ANSWER_TIMEOUT = 1_000

// Of a random identifier, the last characters: enough that no two instances have the same name.
const ID_LENGTH = 12

/** What is needed of the hub to be known as an instance of it. */
export interface InstancesHub {
  readonly broker: { readonly roster: Pick<Roster, 'beat' | 'instances' | 'retire'> }
  readonly clock: Clock
  failed(during: string, error: unknown): void
}

/**
 * The instances of the application, as far as they have had a stream, and this one's place among them: from its first
 * stream until the hub is closed it says that it lives, by one timer.
 */
export class Instances {
  /** The name of this one. */
  readonly id: string
  /** The number of its last change that the roster has taken note of. */
  told = 0

  readonly #hub: InstancesHub
  readonly #lease: number
  readonly #lapsed: (() => void)[] = []
  readonly #beats: (() => void)[] = []
  // The beat that is under way.
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
   * Makes this instance known to the others. Answers nothing where it is, or a promise that resolves once it is, or the
   * roster could not take note of it: it is tried again then.
   */
  enter(): void | Promise<void> {
    if (this.#isKnown || this.#isClosed) return
    this.#stop ??= this.#hub.clock.every(this.#lease * BEAT, () => void this.#beat())
    return this.#beat()
  }

  /**
   * Those that live, this one included once it has entered.
   *
   * @throws {EventStreamError} `ERR_BROKER`, as a rejection
   */
  all(): Promise<readonly string[]> {
    return this.#hub.broker.roster.instances()
  }

  /** Calls back whenever the others have just been told that this instance lives. */
  onBeat(listener: () => void): void {
    this.#beats.push(listener)
  }

  /**
   * Calls back when it turns out, of an instance that has just said that it lives, that others may have taken it for dead, or
   * that the roster has lost what it was told.
   */
  onLapse(listener: () => void): void {
    this.#lapsed.push(listener)
  }

  /** Is gone for good, once the others know, or cannot be told. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#stop?.()
    if (this.#stop === undefined) return
    await this.#beating
    try {
      await this.#inTime(this.#hub.broker.roster.retire(this.id))
    } catch {
      // It is known to be gone when its lease has ended.
    }
  }

  #beat(): Promise<void> {
    this.#beating ??= this.#say().finally(() => {
      this.#beating = undefined
    })
    return this.#beating
  }

  async #say(): Promise<void> {
    const wasKnown = this.#isKnown
    const told = this.told
    try {
      const known = await this.#inTime(this.#hub.broker.roster.beat(this.id, this.#lease * TTL))
      this.#isKnown = true
      this.#hasFailed = false
      if (known === undefined ? wasKnown || told > 0 : known < told) for (const listener of this.#lapsed) listener()
      for (const listener of this.#beats) listener()
    } catch (error) {
      // Once an outage: the hub's `lost` event tells how it goes on.
      if (!this.#hasFailed) this.#hub.failed('instances', error)
      this.#hasFailed = true
    }
  }

  #inTime<T>(answer: Promise<T>): Promise<T> {
    const late = () => new Error(`the roster of instances did not answer within ${String(ANSWER_TIMEOUT)} ms`)
    return within(this.#hub.clock, ANSWER_TIMEOUT, answer, late)
  }
}
