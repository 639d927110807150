import type { Broker } from '../../broker/broker.ts'
import type { Clock } from '../../clock.ts'
import { EventStreamError } from '../../errors.ts'
import { presenceOf } from '../../topic.ts'
import type { EventRules } from '../../wire/publication.ts'
import { encodePresence } from './state.ts'

// The shortest interval between announcements by this instance, in milliseconds; with jitter, since other instances
// announce the same topics.
const INTERVAL = 250
const JITTER = 100

// The shortest delay before failed announcements are retried, in milliseconds.
const RETRY_INTERVAL = 1_000

// How many topics are announced concurrently.
const CONCURRENCY = 32

/** What this needs of the hub. */
export interface AnnouncerHub extends EventRules {
  readonly broker: Broker
  readonly clock: Clock
  failed(during: string, error: unknown): void
}

/**
 * Announces who is present at topics, as events with the complete state: the newest event is enough.
 *
 * Several instances may announce a topic at the same time, so that an older state may follow a newer one in the log.
 * Therefore each instance checks the version again once its event is in the log, and announces again if it has changed.
 * The last event in the log was then still current after it had been published, and later changes are announced by the
 * instance that makes them.
 *
 * The roster keeps the topic pending until then: if this instance dies in between, others announce it.
 */
export class Announcer {
  readonly #hub: AnnouncerHub
  readonly #members: number
  readonly #due = new Set<string>()
  #announcing: Promise<void> | undefined
  #cancel: (() => void) | undefined
  #quietUntil = -Infinity
  #hasFailed = false
  #isClosed = false

  /** @param members the most members in an event */
  constructor(hub: AnnouncerHub, members: number) {
    this.#hub = hub
    this.#members = members
  }

  add(topics: Iterable<string>): void {
    for (const topic of topics) this.#due.add(topic)
    this.#plan(this.#quietUntil)
  }

  /** Announces what is due, and nothing afterwards. What fails is left to other instances. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancel?.()
    await this.#announcing
    await this.#round()
  }

  #plan(at: number): void {
    if (this.#isClosed || this.#due.size === 0 || this.#cancel !== undefined || this.#announcing !== undefined) return
    const { clock } = this.#hub
    const ms = Math.max(0, at - clock.monotonic()) + clock.random() * JITTER
    this.#cancel = clock.after(ms, () => {
      this.#cancel = undefined
      this.#announcing = this.#round().finally(() => {
        this.#announcing = undefined
        this.#plan(this.#quietUntil)
      })
    })
  }

  async #round(): Promise<void> {
    const { clock } = this.#hub
    const startedAt = clock.monotonic()
    const topics = [...this.#due]
    this.#due.clear()
    const failures: unknown[] = []
    const next = topics.values()
    const work = async (): Promise<void> => {
      for (const topic of next) {
        try {
          await this.#announce(topic)
        } catch (error) {
          this.#due.add(topic)
          failures.push(error)
        }
      }
    }
    await Promise.all(Array.from({ length: Math.min(CONCURRENCY, topics.length) }, work))
    // Reported once per outage: the hub's events `lost` and `ready` report the rest.
    if (failures.length > 0 && !this.#hasFailed) this.#hub.failed('presence', failures[0])
    this.#hasFailed = failures.length > 0
    this.#quietUntil = startedAt + INTERVAL
    if (failures.length > 0) this.#quietUntil = clock.monotonic() + RETRY_INTERVAL * (1 + clock.random())
  }

  async #announce(topic: string): Promise<void> {
    const { broker } = this.#hub
    const present = await broker.roster.present(topic, this.#members)
    const body = this.#encode(topic, present)
    if (body !== undefined) await broker.publish([presenceOf(topic)], body)
    if (!(await broker.roster.told(topic, present.version))) this.#due.add(topic)
  }

  // A state that cannot be encoded is reported and skipped: a retry would fail as well.
  #encode(topic: string, present: Parameters<typeof encodePresence>[1]): Uint8Array | undefined {
    try {
      return encodePresence(topic, present, this.#hub)
    } catch (error) {
      if (!(error instanceof EventStreamError) || error.code !== 'ERR_EVENT_INVALID') throw error
      this.#hub.failed('presence', error)
      return undefined
    }
  }
}
