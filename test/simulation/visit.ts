import { within } from '../../lib/deadline.ts'
import type { TopicStart } from '../../lib/hub/feed/origin.ts'
import type { Standing } from '../../lib/hub/feed/origin.ts'
import type { StreamPolicy } from '../../lib/hub/stream-policy.ts'
import type { Subscriber } from '../../lib/hub/subscriber.ts'
import { parseCursor } from '../../lib/wire/cursor.ts'
import { SimulatedSink } from '../support/simulated-sink.ts'
import type { ToldGap } from './told-gap.ts'
import type { Instance } from './instance.ts'
import { ROOM } from './kept.ts'
import type { Logins, Person } from './person.ts'
import { ANSWER_TIMEOUT } from './remote-broker.ts'

/** What a visit asks of the world around it. */
export interface VisitHost {
  readonly logins: Logins
  /** The resolver is called: answers what it gives. `isKnown` is whether it is known where the log stands. */
  resolve(isKnown: boolean): readonly TopicStart[]
  /** The log did not answer in time: the last events are counted from what the instance has. */
  late(visit: Visit): void
  /** There is something to read, or the connection has ended. */
  news(visit: Visit): void
  /** The client has lost the right to read what was not handed over by then. */
  ended(visit: Visit, handed: number): void
}

export interface VisitFields {
  readonly person: Person
  readonly policy: StreamPolicy
  readonly lastEventId: string | undefined
}

/** How often a session is looked up, and for how long that may fail, in milliseconds. */
export const REVALIDATION = { interval: 2_000, grace: 1_000 }

/** Within so many milliseconds a stream ends of which nobody can tell: an interval, a question, and ticks of the timer. */
export const UNVERIFIABLE_BOUND = REVALIDATION.interval + 2 * REVALIDATION.grace + 2_500

const PLACES = 100

/** A client on an instance: from its request to the end of its stream. Does what the middleware does, without HTTP. */
export class Visit {
  readonly instance: Instance
  readonly person: Person
  readonly sink: SimulatedSink
  readonly toldGaps: ToldGap[] = []
  /** Whether the client has gone, or the instance. */
  isOver = false
  /** Whether there is a stream that the client can read. */
  isOpen = false
  /** When it was opened, by the time of the world. */
  openedAt = Infinity
  /** Whether its resolver has made its identity present, and nobody has taken the topic away since. */
  isInRoom = false
  readonly #host: VisitHost
  readonly #fields: VisitFields
  #subscriber: Subscriber | undefined

  constructor(instance: Instance, fields: VisitFields, host: VisitHost) {
    this.instance = instance
    this.person = fields.person
    this.#fields = fields
    this.#host = host
    this.sink = new SimulatedSink({
      kernel: 512,
      later: task => {
        instance.process.after(0.1, task)
      },
      news: () => {
        host.news(this)
      },
    })
    instance.visits.add(this)
  }

  /** Whether its identity is to be present. */
  get isPresent(): boolean {
    return this.isOpen && !this.hasEnded && this.isInRoom
  }

  get stream(): Subscriber['stream'] | undefined {
    return this.#subscriber?.stream
  }

  /** Whether the instance has ended the stream, or never opened it. */
  get hasEnded(): boolean {
    return this.isOver || this.stream?.closeReason !== undefined
  }

  /** Answers whether there is a stream. */
  async begin(): Promise<boolean> {
    let isOpen = false
    try {
      isOpen = await this.#open()
    } finally {
      if (!isOpen) {
        this.stream?.abandon('error')
        this.lost()
      }
    }
    return isOpen
  }

  /** The client has gone: the instance hears of it. */
  leave(): void {
    if (this.isOver) return
    this.lost()
    this.instance.process.run(() => this.stream?.abandon('client'))
  }

  ended(handed: number): void {
    this.#host.ended(this, handed)
  }

  /** The connection is gone. */
  lost(): void {
    this.isOver = true
    this.instance.visits.delete(this)
    this.sink.close()
    this.#host.news(this)
  }

  async #open(): Promise<boolean> {
    const { hub, process } = this.instance
    const { policy } = this.#fields
    await hub.instances.enter()
    if (!(await this.#holds()) || this.isOver || hub.draining) return false
    const subscriber = this.#enter()
    const { stream } = subscriber
    const hasPlace = await hub.leases.take(`identity:${this.person.identity.id}`, stream, PLACES)
    if (!hasPlace || stream.closeReason !== undefined) return false
    const place = await this.#standing()
    // An instance that is still behind counts the last events from what it has.
    const starts = this.#host
      .resolve(place.isKnown && hub.ready)
      .map(start => (start.topic === ROOM ? { ...start, presence: 'true' } : start))
    this.isInRoom = starts.some(({ topic }) => topic === ROOM)
    await new Promise<void>(resolve => process.after(process.random() * 5, resolve))
    const since = process.age
    await within(process, policy.timeout, Promise.resolve(subscriber.open(starts, place)), late)
    if (process.age - since >= ANSWER_TIMEOUT) this.#host.late(this)
    const holds = await this.#holds()
    if (!holds || this.hasEnded) return false
    hub.opened(subscriber)
    this.isOpen = true
    this.openedAt = process.age
    stream.isPiped = true
    stream.writer.attach(this.sink, subscriber.firstBytes())
    return true
  }

  #enter(): Subscriber {
    const { hub, process } = this.instance
    const { person, policy, lastEventId } = this.#fields
    const { identity, scheme } = person
    const holds = (): Promise<boolean> => this.#host.logins.holds(person, process)
    const revalidation = scheme === 'session' ? { ...REVALIDATION, holds } : undefined
    const subscriber = hub.enter(policy, { identity, revalidation, address: '', lastEventId, isEventSource: true })
    this.#subscriber = subscriber
    return subscriber
  }

  async #holds(): Promise<boolean> {
    const { hub, process } = this.instance
    const { identity } = this.person
    if (identity.token !== undefined) return !(await hub.isRevoked(identity.token))
    return within(process, 2_000, this.#host.logins.holds(this.person, process), late)
  }

  async #standing(): Promise<Standing> {
    const { broker } = this.instance.hub
    const seen = broker.position()
    if (typeof parseCursor(this.#fields.lastEventId) === 'object') return { position: seen, isKnown: true }
    try {
      return {
        position: await within(this.instance.process, 5_000, Promise.resolve(broker.look()), late),
        isKnown: true,
      }
    } catch {
      return { position: seen, isKnown: false }
    }
  }
}

function late(): Error {
  return new Error('late')
}
