import { MOST_CHANGES, type Roster, type RosterEntry } from '../../broker/roster.ts'
import type { Clock } from '../../clock.ts'
import { within } from '../../deadline.ts'
import { keyOf, type Attendance } from './attendance.ts'

// The shortest delay before a failed write is retried, in milliseconds.
const RETRY_INTERVAL = 1_000

// The timeout of a call to the roster, in milliseconds.
const ANSWER_TIMEOUT = 5_000

/** What this needs of the hub and of presence. */
export interface RosterWriterParts {
  readonly roster: Roster
  readonly clock: Clock
  readonly attendance: Attendance
  readonly instances: { readonly id: string; told: number }
  /** Called with the topics whose visible presence has changed. */
  readonly moved: (topics: Iterable<string>) => void
  readonly failed: (error: unknown) => void
}

/**
 * Writes this instance's attendance to the roster. It records whose state has to be written, not the state: that is
 * read from the attendance when it is written, in one batch after another. Failed batches are retried.
 */
export class RosterWriter {
  readonly #parts: RosterWriterParts
  readonly #due = new Map<string, RosterEntry>()
  // Topics of failed writes that may have been applied: they are announced in any case.
  readonly #doubtful = new Set<string>()
  #needsComparison = false
  #number = 0
  #writing: Promise<void> | undefined
  #cancelRetry: (() => void) | undefined

  constructor(parts: RosterWriterParts) {
    this.#parts = parts
  }

  /** The state of an identity at a topic has changed. */
  add(entry: RosterEntry): void {
    this.#due.set(keyOf(entry), entry)
    if (this.#cancelRetry === undefined) void this.write()
  }

  /** Writes everything again: the roster may delete entries that are not refreshed. */
  repeat(): void {
    for (const entry of this.#parts.attendance.all()) this.add(entry)
  }

  /** The roster may have lost entries: writes everything again, and removes its outdated entries. */
  restore(): void {
    this.#needsComparison = true
    this.repeat()
    if (this.#cancelRetry === undefined) void this.write()
  }

  /** Writes what is due. Resolves once that is done or has failed. */
  write(): Promise<void> {
    this.#cancelRetry?.()
    this.#cancelRetry = undefined
    this.#writing ??= this.#write()
    return this.#writing
  }

  /** Cancels the retry. */
  stop(): void {
    this.#cancelRetry?.()
  }

  async #write(): Promise<void> {
    // Batches the changes made synchronously.
    await Promise.resolve()
    try {
      if (this.#needsComparison) await this.#compare()
      while (this.#due.size > 0) await this.#writeBatch([...this.#due].slice(0, MOST_CHANGES))
    } catch (error) {
      this.#parts.failed(error)
      const { clock } = this.#parts
      this.#cancelRetry = clock.after(RETRY_INTERVAL * (1 + clock.random()), () => void this.write())
    }
    // Without an `await` after the last check of `#due`: a later change starts a new write.
    this.#writing = undefined
  }

  async #compare(): Promise<void> {
    const { roster, instances, attendance } = this.#parts
    this.#needsComparison = false
    try {
      for (const entry of await this.#inTime(roster.entries(instances.id))) {
        if (attendance.standing(entry).info === undefined) this.#due.set(keyOf(entry), entry)
      }
    } catch (error) {
      this.#needsComparison = true
      throw error
    }
  }

  async #writeBatch(batch: readonly (readonly [string, RosterEntry])[]): Promise<void> {
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
