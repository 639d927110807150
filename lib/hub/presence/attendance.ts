import type { RosterChange, RosterEntry } from '../../broker/roster.ts'
import type { Clock } from '../../clock.ts'
import type { Task, TimerWheel } from '../timer-wheel.ts'

/** What this needs of the hub. */
export interface AttendanceHub {
  readonly clock: Clock
  readonly wheel: TimerWheel
}

/** An identity at a topic on this instance: with streams, or in the grace period after its last one. */
class Attendee implements Task, RosterEntry {
  appointment: number | undefined
  readonly topic: string
  readonly id: string
  info: string
  streams = 0
  readonly #gone: (attendee: Attendee) => void

  constructor({ topic, id }: RosterEntry, info: string, gone: (attendee: Attendee) => void) {
    this.topic = topic
    this.id = id
    this.info = info
    this.#gone = gone
  }

  run(): undefined {
    this.#gone(this)
  }
}

/**
 * The identities present at topics by streams of this instance: the state that the roster is kept in line with. No I/O.
 */
export class Attendance {
  readonly #hub: AttendanceHub
  readonly #changed: (entry: RosterEntry) => void
  readonly #attendees = new Map<string, Attendee>()

  constructor(hub: AttendanceHub, changed: (entry: RosterEntry) => void) {
    this.#hub = hub
    this.#changed = changed
  }

  /** A stream of an identity has joined a topic. */
  enter(entry: RosterEntry, info: string): void {
    const known = this.#attendees.get(keyOf(entry))
    const attendee = known ?? new Attendee(entry, info, gone => this.#remove(gone))
    attendee.streams += 1
    this.#hub.wheel.cancel(attendee)
    if (known?.info === info) return
    attendee.info = info
    this.#attendees.set(keyOf(entry), attendee)
    this.#changed(attendee)
  }

  /** A stream has left; after the last one the identity stays present for `grace` milliseconds. */
  leave(entry: RosterEntry, grace: number): void {
    const attendee = this.#attendees.get(keyOf(entry))
    if (attendee === undefined) return
    attendee.streams -= 1
    if (attendee.streams > 0) return
    if (grace === 0) this.#remove(attendee)
    else this.#hub.wheel.schedule(attendee, this.#hub.clock.monotonic() + grace)
  }

  /** Removes everybody. */
  clear(): void {
    for (const attendee of this.#attendees.values()) this.#remove(attendee)
  }

  /** The current state of an identity at a topic, for the roster. */
  standing({ topic, id }: RosterEntry): RosterChange {
    return { topic, id, info: this.#attendees.get(keyOf({ topic, id }))?.info }
  }

  all(): Iterable<RosterEntry> {
    return this.#attendees.values()
  }

  #remove(attendee: Attendee): void {
    this.#hub.wheel.cancel(attendee)
    this.#attendees.delete(keyOf(attendee))
    this.#changed(attendee)
  }
}

/** A unique key: topics contain no line breaks. */
export function keyOf({ topic, id }: RosterEntry): string {
  return `${topic}\n${id}`
}
