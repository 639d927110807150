import type { Broker } from '../../broker/broker.ts'
import type { Clock } from '../../clock.ts'
import { EventStreamError } from '../../errors.ts'
import { presenceOf } from '../../topic.ts'
import type { EventRules } from '../../wire/publication.ts'
import { encodePresence } from './state.ts'

// Of a topic this instance tells once in so many milliseconds at most, whatever happens there; with jitter, since others tell
// of the same topic.
const INTERVAL = 250
const JITTER = 100

// Milliseconds until what could not be told is tried again, at the earliest.
const RETRY_INTERVAL = 1_000

// How many topics are told of at once.
const CONCURRENCY = 32

/** What it takes to tell who is present. */
export interface AnnouncerHub extends EventRules {
  readonly broker: Broker
  readonly clock: Clock
  failed(during: string, error: unknown): void
}

/**
 * Tells who is present at topics, as events that say all there is to know: the newest is enough.
 *
 * Several instances may tell of one topic at the same time, and an older state come behind a newer one in the log. So each looks
 * again once its event is in the log: if something else is known by then than it has told, it tells again. Whoever comes last
 * in the log has found that nothing had changed since it had read what it told; what changes later is told by who changed it.
 *
 * The roster takes the topic for untold until then. If this instance dies in between, others find that, and tell.
 */
export class Announcer {
  readonly #hub: AnnouncerHub
  readonly #members: number
  readonly #due = new Set<string>()
  #telling: Promise<void> | undefined
  #cancel: (() => void) | undefined
  #quietUntil = -Infinity
  #hasFailed = false
  #isClosed = false

  /** @param members the most that are listed in an event */
  constructor(hub: AnnouncerHub, members: number) {
    this.#hub = hub
    this.#members = members
  }

  add(topics: Iterable<string>): void {
    for (const topic of topics) this.#due.add(topic)
    this.#plan(this.#quietUntil)
  }

  /** Tells what is due now, and nothing any more. What is not told by the end is left to others. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancel?.()
    await this.#telling
    await this.#round()
  }

  #plan(at: number): void {
    if (this.#isClosed || this.#due.size === 0 || this.#cancel !== undefined || this.#telling !== undefined) return
    const { clock } = this.#hub
    const ms = Math.max(0, at - clock.monotonic()) + clock.random() * JITTER
    this.#cancel = clock.after(ms, () => {
      this.#cancel = undefined
      this.#telling = this.#round().finally(() => {
        this.#telling = undefined
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
          await this.#tell(topic)
        } catch (error) {
          this.#due.add(topic)
          failures.push(error)
        }
      }
    }
    await Promise.all(Array.from({ length: Math.min(CONCURRENCY, topics.length) }, work))
    // Once an outage: the hub's `lost` event tells how it goes on.
    if (failures.length > 0 && !this.#hasFailed) this.#hub.failed('presence', failures[0])
    this.#hasFailed = failures.length > 0
    this.#quietUntil = startedAt + INTERVAL
    if (failures.length > 0) this.#quietUntil = clock.monotonic() + RETRY_INTERVAL * (1 + clock.random())
  }

  async #tell(topic: string): Promise<void> {
    const { broker } = this.#hub
    const present = await broker.roster.present(topic, this.#members)
    const body = this.#encode(topic, present)
    if (body !== undefined) await broker.publish([presenceOf(topic)], body)
    if (!(await broker.roster.told(topic, present.version))) this.#due.add(topic)
  }

  // What cannot be told now cannot be told later either.
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
