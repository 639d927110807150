import { KEPT_FOR, type RosterEntry } from '../../broker/roster.ts'
import { within } from '../../deadline.ts'
import { duration, integer, knownKeys } from '../../options.ts'
import { checkTopic } from '../../topic.ts'
import type { Snapshot } from '../feed/snapshotting.ts'
import type { Instances } from '../instances.ts'
import { Announcer, type AnnouncerHub } from './announcer.ts'
import { Attendance, type AttendanceHub } from './attendance.ts'
import { RosterWriter } from './roster-writer.ts'
import { encodePresence, presenceFrom, type Presence } from './state.ts'

/** Options of presence. */
export interface AudienceOptions {
  /** The most members in an event, from 0 to 1,000. Default 100. */
  readonly members?: number
  /** Milliseconds that an identity stays present after its client should have reconnected. Default 2,000. */
  readonly grace?: number
}

const DEFAULT_MEMBERS = 100
const DEFAULT_GRACE = 2_000
const MOST_MEMBERS = 10_000

// Milliseconds that a topic may be pending before other instances announce it: they notice at their second check.
const UNTOLD_FOR = 3_000

// Two refreshes in a row may fail.
const REPEAT_INTERVAL = KEPT_FOR / 3

// The timeout of the last changes and announcements when the hub is closed, in milliseconds.
const CLOSE_TIMEOUT = 1_000

/** What this needs of the hub. */
export interface AudienceHub extends AnnouncerHub, AttendanceHub {
  readonly instances: Instances
}

/**
 * Presence: who is present at which topic, over all instances. This instance reports its own streams to the roster,
 * announces changes to the streams of presence topics, and cleans up after dead instances.
 */
export class Audience {
  /** Milliseconds that an identity stays present after its client should have reconnected. */
  readonly grace: number

  readonly #hub: AudienceHub
  readonly #members: number
  readonly #attendance: Attendance
  readonly #writer: RosterWriter
  readonly #announcer: Announcer
  #repeatAt: number
  #isBusy = false
  #hasFailed = false

  /** @throws {TypeError} for an invalid option */
  constructor(hub: AudienceHub, options: AudienceOptions = {}) {
    knownKeys('presence', options, ['members', 'grace'])
    this.#hub = hub
    this.#members = integer('presence.members', options.members, { max: 1_000, default: DEFAULT_MEMBERS })
    this.grace = duration('presence.grace', options.grace, { min: 0, default: DEFAULT_GRACE })
    const { broker, clock, instances } = hub
    this.#announcer = new Announcer(hub, this.#members)
    this.#attendance = new Attendance(hub, entry => {
      this.#writer.add(entry)
    })
    this.#writer = new RosterWriter({
      roster: broker.roster,
      clock,
      attendance: this.#attendance,
      instances,
      moved: topics => {
        this.#hasFailed = false
        this.#announcer.add(topics)
      },
      failed: error => {
        this.#failed(error)
      },
    })
    this.#repeatAt = clock.monotonic() + REPEAT_INTERVAL
    instances.onLapse(() => {
      this.#writer.restore()
    })
    instances.onBeat(() => void this.#doChores())
  }

  enter(entry: RosterEntry, info: string): void {
    this.#attendance.enter(entry, info)
  }

  leave(entry: RosterEntry, grace: number): void {
    this.#attendance.leave(entry, grace)
  }

  /** Announces the presence of topics. */
  tell(topics: readonly string[]): void {
    this.#announcer.add(topics)
  }

  async presence(topic: string, most?: number): Promise<Presence> {
    const limit = integer('most', most, { max: MOST_MEMBERS, default: DEFAULT_MEMBERS })
    return presenceFrom(await this.#hub.broker.roster.present(checkTopic(topic), limit))
  }

  async occupancy(topic: string): Promise<number> {
    return (await this.#hub.broker.roster.present(checkTopic(topic), 0)).count
  }

  /** The current presence of a topic, for a new stream of its presence topic. */
  stateOf(topic: string): Snapshot {
    const { broker } = this.#hub
    const read = () => broker.roster.present(topic, this.#members)
    const encode = (present: Awaited<ReturnType<typeof read>>) => encodePresence(topic, present, this.#hub)
    return async function* () {
      yield encode(await read())
    }
  }

  /** Removes everybody on this instance, and announces that within the timeout. */
  async close(): Promise<void> {
    this.#attendance.clear()
    const late = () => new Error(`presence could not be closed within ${String(CLOSE_TIMEOUT)} ms`)
    try {
      await within(this.#hub.clock, CLOSE_TIMEOUT, this.#writeRest(), late)
    } catch {
      // Other instances clean up the rest, as after a dead instance.
    }
    this.#writer.stop()
  }

  async #writeRest(): Promise<void> {
    await this.#writer.write()
    await this.#announcer.close()
  }

  // Called at each beat of this instance, so that it needs no timer.
  async #doChores(): Promise<void> {
    const now = this.#hub.clock.monotonic()
    if (now >= this.#repeatAt) {
      this.#repeatAt = now + REPEAT_INTERVAL
      this.#writer.repeat()
    }
    if (this.#isBusy) return
    this.#isBusy = true
    try {
      const { broker, instances } = this.#hub
      const { roster } = broker
      const { dead, untold } = await roster.chores(UNTOLD_FOR)
      this.#announcer.add(untold)
      for (const instance of dead) {
        // If this instance itself counts as dead, it was frozen: its next beat restores its entries.
        if (instance !== instances.id) this.#announcer.add(await roster.bury(instance))
      }
      this.#hasFailed = false
    } catch (error) {
      this.#failed(error)
    }
    this.#isBusy = false
  }

  // Reported once per outage: the hub's events `lost` and `ready` report the rest.
  #failed(error: unknown): void {
    if (!this.#hasFailed) this.#hub.failed('presence', error)
    this.#hasFailed = true
  }
}
