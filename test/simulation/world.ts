import type { StreamPolicy } from '../../lib/hub/stream-policy.ts'
import { ConflationKeys } from '../../lib/hub/feed/conflation-keys.ts'
import { Chunk } from '../../lib/wire/chunk.ts'
import { encodeComment } from '../../lib/wire/frame.ts'
import { Random } from '../support/random.ts'
import { Answers } from './answers.ts'
import { Client } from './client.ts'
import { Instance } from './instance.ts'
import { Ledger, type Publication } from './ledger.ts'
import { LONELY_TOPIC, TOPICS } from './kept.ts'
import { LogService } from './log-service.ts'
import { Line } from './network.ts'
import { Logins, type Person } from './person.ts'
import { Rights } from './rights.ts'
import { SimulatedProcess } from './simulated-process.ts'
import type { Trace } from './trace.ts'
import type { VirtualTime } from './virtual-time.ts'

const INSTANCES = 3
const CLIENTS = 20

// How often a publish is tried that may be repeated.
const MOST_TRIES = 5

const KEYS = ['k1', 'k2', 'k3', 'k4']

/** Everything that there is in a run: the log, the instances, their clients, and what all of them have done. */
export class World {
  readonly time: VirtualTime
  readonly trace: Trace
  readonly random: Random
  readonly ledger: Ledger
  readonly service: LogService
  readonly logins: Logins
  readonly instances: Instance[] = []
  readonly clients: Client[] = []
  readonly answers: Answers
  /** Where the application changes what streams have: after an outage they end, unless it does not. */
  readonly rights: Rights | undefined
  readonly complaints: string[] = []
  /** Until when what has been done to it goes on. */
  troubledUntil = 0
  readonly #seed: number
  // Random numbers are drawn apart where one change should not change all the rest.
  #streams = 0

  constructor(seed: number, time: VirtualTime, trace: Trace) {
    this.#seed = seed
    this.time = time
    this.trace = trace
    this.random = this.newRandom()
    this.ledger = new Ledger(time)
    this.service = new LogService(time, this.newRandom(), this.ledger)
    this.logins = new Logins(time, this.newRandom())
    for (let n = 0; n < INSTANCES; n += 1) this.instances.push(this.#open(n))
    for (let n = 0; n < CLIENTS; n += 1) {
      const topics = TOPICS.filter(topic => this.random.chance(topic === LONELY_TOPIC ? 0.08 : 0.35))
      if (topics.length === 0) topics.push(this.random.pick(TOPICS))
      this.clients.push(new Client(`c${n}`, this, this.newRandom(), this.#policy(n), topics))
    }
    this.rights = this.random.chance(0.3) ? new Rights(this, this.newRandom()) : undefined
    this.answers = new Answers(this, this.newRandom(), this.#policy(0))
  }

  newRandom(): Random {
    this.#streams += 1
    return new Random(this.#seed + this.#streams * 0x9e3779b1)
  }

  /** Something is wrong for so many milliseconds. Answers until when. */
  troubled(ms: number): number {
    const until = this.time.now + ms
    this.troubledUntil = Math.max(this.troubledUntil, until)
    return until
  }

  /** Nobody could ask about sessions since a moment: streams that were there by then must have been ended. */
  expectUnverifiable(since: number): void {
    for (const { process, visits } of this.instances) {
      if (process.frozenUntil > since) continue
      for (const { person, openedAt, hasEnded, stream } of visits) {
        if (person.scheme !== 'session' || hasEnded || stream === undefined || openedAt > since) continue
        this.complaints.push(`${person.identity.id} has a stream on ${process.name}, unverified since ${since}`)
      }
    }
  }

  pickInstance(random: Random): Instance | undefined {
    const open = this.instances.filter(({ process, hub }) => !process.isDead && !hub.draining)
    return open.length === 0 ? undefined : random.pick(open)
  }

  /** Somebody who is logged in: a new login, or one that another client has, too. */
  somebody(): Person {
    const people = this.logins.people.filter(({ endedAt, isShared }) => endedAt === undefined && isShared)
    return people.length > 0 && this.random.chance(0.25) ? this.random.pick(people) : this.logins.add()
  }

  /** Publishes something new. Some of it is named, and repeated until somebody knows that it is in the log. */
  publish(instance: Instance, topics: readonly string[], bytes: number): void {
    const publication = this.ledger.publication(topics, this.random.pick(KEYS), this.random.chance(0.3))
    this.#try(instance, publication, bytes)
    if (publication.name !== undefined && this.random.chance(0.2)) this.#repeat(publication, bytes)
  }

  #try(instance: Instance, publication: Publication, bytes: number): void {
    const { number, topics, key, name } = publication
    publication.tries += 1
    this.trace.note(() => `${instance.process.name} publishes ${number} to ${topics.join()}`)
    const options = name === undefined ? {} : { key: name }
    instance.hub.publish(topics, { data: `${number} ${key} ${'x'.repeat(bytes)}` }, options).then(
      id => {
        this.trace.note(() => `${number} is at ${id}`)
        const wrong = this.ledger.acknowledged(publication, id, instance.process)
        if (wrong !== undefined) this.complaints.push(wrong)
      },
      () => {
        this.trace.note(() => `${number} may be lost`)
        if (name === undefined || publication.tries > MOST_TRIES) return
        this.time.after(this.random.next() ** 2 * 1_000, () => this.#repeat(publication, bytes))
      },
    )
  }

  #repeat(publication: Publication, bytes: number): void {
    const instance = this.pickInstance(this.random)
    instance?.process.run(() => this.#try(instance, publication, bytes))
  }

  /** A new process takes the place of one that has died. */
  restart(instance: Instance): void {
    const place = this.instances.indexOf(instance)
    this.instances[place] = this.#open(place, instance.line)
    this.complaints.push(...instance.complaints)
  }

  #open(place: number, line = new Line(this.time, this.newRandom())): Instance {
    const random = this.newRandom()
    const process = new SimulatedProcess(`i${place}n${this.#streams}`, this.time, random)
    const { service, ledger, trace } = this
    const handing = (topics: readonly string[]): void => this.#handing(topics)
    return new Instance({ process, service, line, ledger, trace, handing })
  }

  // Sometimes a client loses a topic between an event's arrival and the turn in which it is written.
  #handing([topic]: readonly string[]): void {
    if (topic === undefined || !this.random.chance(0.005)) return
    const client = this.random.pick(this.clients)
    this.time.after(0, () => client.unsubscribe(topic))
  }

  #policy(n: number): StreamPolicy {
    const kinds = ['disconnect', 'disconnect', 'drop', 'conflate'] as const
    const kind = kinds[n % kinds.length] ?? 'disconnect'
    const keys = new ConflationKeys(({ data }) => data.split(' ', 2)[1])
    return {
      heartbeat: { interval: 4_000, chunk: HEARTBEAT },
      isVisible: false,
      retry: 500,
      maxAge: this.random.chance(0.2) ? 8_000 : undefined,
      bufferBytes: kind === 'disconnect' ? 8_000 : 2_500,
      overflow: kind === 'conflate' ? { kind, keys } : { kind },
      stall: 4_000,
      timeout: 3_000,
      bufferedLimit: 1_048_576,
      maxTopics: 100,
      cohorts: undefined,
    }
  }
}

const HEARTBEAT = Chunk.of(encodeComment(''))
