import type { RosterChange, RosterEntry } from '../../broker/roster.ts'
import type { Clock } from '../../clock.ts'
import type { Task, TimerWheel } from '../timer-wheel.ts'

/** What is needed of the hub to tell who is there for how long. */
export interface AttendanceHub {
  readonly clock: Clock
  readonly wheel: TimerWheel
}

/** Somebody whom this instance has at a topic: with streams, or for the while that they may be away. */
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

/** Whom this instance has at which topic: it is the truth that the roster is told. No I/O. */
export class Attendance {
  readonly #hub: AttendanceHub
  readonly #changed: (entry: RosterEntry) => void
  readonly #attendees = new Map<string, Attendee>()

  constructor(hub: AttendanceHub, changed: (entry: RosterEntry) => void) {
    this.#hub = hub
    this.#changed = changed
  }

  /** A stream of an identity has come to a topic. */
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

  /** One has gone; after the last one the identity is there for so many milliseconds more. */
  leave(entry: RosterEntry, grace: number): void {
    const attendee = this.#attendees.get(keyOf(entry))
    if (attendee === undefined) return
    attendee.streams -= 1
    if (attendee.streams > 0) return
    if (grace === 0) this.#remove(attendee)
    else this.#hub.wheel.schedule(attendee, this.#hub.clock.monotonic() + grace)
  }

  /** Nobody is there any more. */
  clear(): void {
    for (const attendee of this.#attendees.values()) this.#remove(attendee)
  }

  /** How it stands with somebody, as it is told to the roster. */
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

/** Topics have no line breaks. */
export function keyOf({ topic, id }: RosterEntry): string {
  return `${topic}\n${id}`
}
