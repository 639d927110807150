import { MOST_CHANGES, type Roster, type RosterEntry } from '../../broker/roster.ts'
import type { Clock } from '../../clock.ts'
import { within } from '../../deadline.ts'
import { keyOf, type Attendance } from './attendance.ts'

// Milliseconds until what the roster could not take is tried again, at the earliest.
const RETRY_INTERVAL = 1_000

// Milliseconds that the roster may take for an answer, so that one that hangs is asked again.
const ANSWER_TIMEOUT = 5_000

/** What it takes to tell the roster. */
export interface RosterWriterParts {
  readonly roster: Roster
  readonly clock: Clock
  readonly attendance: Attendance
  readonly instances: { readonly id: string; told: number }
  /** Something else is known of these topics now. */
  readonly moved: (topics: Iterable<string>) => void
  readonly failed: (error: unknown) => void
}

/**
 * Tells the roster who is there. It keeps in mind about whom the roster is to be told, not what: that is looked up when it is
 * told, one batch after another, and again until the roster has taken it.
 */
export class RosterWriter {
  readonly #parts: RosterWriterParts
  readonly #due = new Map<string, RosterEntry>()
  // Topics of what may have been carried out without an answer: they are told of in any case.
  readonly #doubtful = new Set<string>()
  #isToCompare = false
  #number = 0
  #writing: Promise<void> | undefined
  #cancelRetry: (() => void) | undefined

  constructor(parts: RosterWriterParts) {
    this.#parts = parts
  }

  /** Something has changed about somebody. */
  add(entry: RosterEntry): void {
    this.#due.set(keyOf(entry), entry)
    if (this.#cancelRetry === undefined) void this.write()
  }

  /** Says all there is to say again, so that nothing is forgotten. */
  repeat(): void {
    for (const entry of this.#parts.attendance.all()) this.add(entry)
  }

  /** The roster may have lost anything: it is told all, and what it has beside that is taken back. */
  restore(): void {
    this.#isToCompare = true
    this.repeat()
    if (this.#cancelRetry === undefined) void this.write()
  }

  /** Tells what is due. Resolves once that is done, or has failed. */
  write(): Promise<void> {
    this.#cancelRetry?.()
    this.#cancelRetry = undefined
    this.#writing ??= this.#write()
    return this.#writing
  }

  /** Nothing is tried again any more. */
  stop(): void {
    this.#cancelRetry?.()
  }

  async #write(): Promise<void> {
    // What comes in the same turn goes together.
    await Promise.resolve()
    try {
      if (this.#isToCompare) await this.#compare()
      while (this.#due.size > 0) await this.#tell([...this.#due].slice(0, MOST_CHANGES))
    } catch (error) {
      this.#parts.failed(error)
      const { clock } = this.#parts
      this.#cancelRetry = clock.after(RETRY_INTERVAL * (1 + clock.random()), () => void this.write())
    }
    // In the same step in which nothing more was found due: what comes next begins anew.
    this.#writing = undefined
  }

  async #compare(): Promise<void> {
    const { roster, instances, attendance } = this.#parts
    this.#isToCompare = false
    try {
      for (const entry of await this.#inTime(roster.entries(instances.id))) {
        if (attendance.standing(entry).info === undefined) this.#due.set(keyOf(entry), entry)
      }
    } catch (error) {
      this.#isToCompare = true
      throw error
    }
  }

  async #tell(batch: readonly (readonly [string, RosterEntry])[]): Promise<void> {
    const { roster, instances, attendance, moved } = this.#parts
    this.#number += 1
    const number = this.#number
    const changes = batch.map(([, entry]) => attendance.standing(entry))
    for (const [key] of batch) this.#due.delete(key)
    try {
      const topics = await this.#inTime(roster.change(instances.id, number, changes))
      instances.told = number
      moved([...topics, ...this.#doubtful])
      this.#doubtful.clear()
    } catch (error) {
      for (const [key, entry] of batch) {
        this.#due.set(key, entry)
        this.#doubtful.add(entry.topic)
      }
      throw error
    }
  }

  #inTime<T>(answer: Promise<T>): Promise<T> {
    const late = () => new Error(`the roster did not answer within ${String(ANSWER_TIMEOUT)} ms`)
    return within(this.#parts.clock, ANSWER_TIMEOUT, answer, late)
  }
}
