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

/** How who is present is told. */
export interface AudienceOptions {
  /** The most members that are listed in an event, from 0 to 1,000. Default 100. */
  readonly members?: number
  /** Milliseconds that an identity is still present after its client was told to come back. Default 2,000. */
  readonly grace?: number
}

const DEFAULT_MEMBERS = 100
const DEFAULT_GRACE = 2_000
const MOST_MEMBERS = 10_000

// Milliseconds until others tell what an instance should have told: it takes two looks to find it.
const UNTOLD_FOR = 3_000

// Often enough that two times may fail.
const REPEAT_INTERVAL = KEPT_FOR / 3

// Milliseconds that the last words of an instance may take when the hub is closed.
const LAST_WORDS = 1_000

/** What is needed of the hub. */
export interface AudienceHub extends AnnouncerHub, AttendanceHub {
  readonly instances: Instances
}

/**
 * Who is present at which topic, over all instances: this one tells the roster whom it has, tells those who watch what has
 * changed, and sees to what others that have died have left behind.
 */
export class Audience {
  /** Milliseconds that an identity is still present after its client was told to come back. */
  readonly grace: number

  readonly #hub: AudienceHub
  readonly #members: number
  readonly #attendance: Attendance
  readonly #writer: RosterWriter
  readonly #announcer: Announcer
  #repeatAt: number
  #isSeeing = false
  #hasFailed = false

  /** @throws {TypeError} for a wrong option */
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
    instances.onBeat(() => void this.#see())
  }

  enter(entry: RosterEntry, info: string): void {
    this.#attendance.enter(entry, info)
  }

  leave(entry: RosterEntry, grace: number): void {
    this.#attendance.leave(entry, grace)
  }

  /** Tells those who watch topics how it stands there. */
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

  /** How it stands at a topic, for a stream that begins to watch it. */
  stateOf(topic: string): Snapshot {
    const { broker } = this.#hub
    const read = () => broker.roster.present(topic, this.#members)
    const encode = (present: Awaited<ReturnType<typeof read>>) => encodePresence(topic, present, this.#hub)
    return async function* () {
      yield encode(await read())
    }
  }

  /** Everybody leaves, and that is told as far as there is time. */
  async close(): Promise<void> {
    this.#attendance.clear()
    const late = () => new Error('the last words are not waited for any longer')
    try {
      await within(this.#hub.clock, LAST_WORDS, this.#sayLast(), late)
    } catch {
      // Others find what is left, as of an instance that died.
    }
    this.#writer.stop()
  }

  async #sayLast(): Promise<void> {
    await this.#writer.write()
    await this.#announcer.close()
  }

  // One beat after another, so that nobody needs a timer of his own.
  async #see(): Promise<void> {
    const now = this.#hub.clock.monotonic()
    if (now >= this.#repeatAt) {
      this.#repeatAt = now + REPEAT_INTERVAL
      this.#writer.repeat()
    }
    if (this.#isSeeing) return
    this.#isSeeing = true
    try {
      const { broker, instances } = this.#hub
      const { roster } = broker
      const { dead, untold } = await roster.chores(UNTOLD_FOR)
      this.#announcer.add(untold)
      for (const instance of dead) {
        // This one was frozen, and finds that out with its next beat.
        if (instance !== instances.id) this.#announcer.add(await roster.bury(instance))
      }
      this.#hasFailed = false
    } catch (error) {
      this.#failed(error)
    }
    this.#isSeeing = false
  }

  // Once an outage: the hub's `lost` event tells how it goes on.
  #failed(error: unknown): void {
    if (!this.#hasFailed) this.#hub.failed('presence', error)
    this.#hasFailed = true
  }
}
