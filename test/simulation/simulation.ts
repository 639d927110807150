// One file: the plan of one simulated run, from its seed to the final checks.
import type { Random } from '../support/random.ts'
import { FAULT_NAMES, FAULTS, type FaultName } from './faults.ts'
import { QUIET_TOPIC, TOPICS } from './kept.ts'
import { live, type Life } from './live.ts'
import { LEASE } from './instance.ts'
import type { Client } from './client.ts'
import type { Person } from './person.ts'
import { RoomCheck } from './room.ts'
import { Trace } from './trace.ts'
import { REVALIDATION } from './visit.ts'
import { VirtualTime } from './virtual-time.ts'
import { World } from './world.ts'

const PUBLISHES = 240
// Events that are published in one turn.
const LONGEST_BURST = 8
const MISCHIEF = 10_000
// What clients and people do beside that.
const ACTS = 40
// Once all faults are over everything comes to be as it should be.
const PATIENCE = 40_000
const SETTLING = 2_500
// Who is present is known within the lease of instances that have died, and a moment for clients to come back and be told of.
const PRESENCE_BOUND = LEASE + 2_000
// A session is looked up within this time, or nobody could tell for so long: with what the look-up itself may take, the
// timer's tick, and the process being asked while another look-up is under way.
const LOGOUT_BOUND = REVALIDATION.interval + 3 * REVALIDATION.grace + 3_000

// So much of one that its history takes more than a page.
const LIVELY = [...TOPICS.filter(topic => topic !== QUIET_TOPIC), 'f', 'f']

export interface Report {
  readonly seed: number
  readonly complaints: readonly string[]
  readonly faults: Readonly<Partial<Record<FaultName, number>>>
  /** Stands for everything that happened: the same for the same seed. */
  readonly hash: string
  readonly steps: number
  readonly published: number
}

/** Lives through one run, which its seed decides. `print` gets all that happens, line by line. */
export async function simulate(seed: number, print?: (line: string) => void): Promise<Report> {
  const run = new Run(seed, print)
  await live(run)
  return run.report()
}

class Run implements Life {
  readonly #seed: number
  readonly #world: World
  readonly #faults: Partial<Record<FaultName, number>> = {}
  readonly #room: RoomCheck
  #isOver = false
  #last: number | undefined

  constructor(seed: number, print?: (line: string) => void) {
    const time = new VirtualTime()
    this.#seed = seed
    this.#world = new World(seed, time, new Trace(time, print))
    this.#room = new RoomCheck(this.#world)
    this.#plan()
  }

  step(): boolean {
    const { time, trace } = this.#world
    if (!time.step()) this.#isOver = true
    trace.mix(time.now)
    return !this.#isOver
  }

  #plan(): void {
    const { time, clients, newRandom } = this.#world
    const random = newRandom.call(this.#world)
    for (const client of clients) time.after(random.next() * 1_000, () => client.connect())
    for (let left = PUBLISHES; left > 0;) {
      const burst = Math.min(left, random.between(1, LONGEST_BURST + 1))
      left -= burst
      time.after(500 + random.next() * (MISCHIEF - 500), () => this.#publish(random, burst))
    }
    const faults = random.between(5, 14)
    for (let n = 0; n < faults; n += 1) time.after(1_500 + random.next() * (MISCHIEF - 2_000), () => this.#harm(random))
    for (let n = 0; n < ACTS; n += 1) time.after(1_000 + random.next() * (MISCHIEF - 1_000), () => this.#act(random))
    this.#world.answers.plan(1_000, MISCHIEF - 1_000)
    time.after(MISCHIEF, () => this.#wait())
  }

  report(): Report {
    const { trace, time, clients, ledger, instances, answers, complaints } = this.#world
    const all = [
      ...complaints,
      ...ledger.complaints,
      ...answers.complaints,
      ...instances.flatMap(instance => instance.complaints),
    ]
    for (const { name, view, complaints: earlier } of clients) {
      all.push(...[...earlier, ...view.final()].map(what => `${name}: ${what}`))
    }
    const published = ledger.publications.length
    const seed = this.#seed
    return { seed, complaints: all, faults: this.#faults, hash: trace.digest(), steps: time.steps, published }
  }

  #publish(random: Random, burst: number): void {
    const { time } = this.#world
    const instance = this.#world.pickInstance(random)
    if (instance === undefined) {
      time.after(50, () => this.#publish(random, burst))
      return
    }
    let hasBegun = false
    instance.process.run(() => {
      hasBegun = true
      for (let n = 0; n < burst; n += 1) {
        const topics = random.chance(0.2)
          ? random.some(LIVELY)
          : [random.chance(0.02) ? QUIET_TOPIC : random.pick(LIVELY)]
        const bytes = random.chance(0.1) ? random.between(1_000, 5_000) : random.between(0, 80)
        this.#world.publish(instance, topics, bytes)
      }
    })
    // A process that is frozen may die before it goes on: somebody else publishes then.
    const look = (): void => {
      if (hasBegun) return
      if (instance.process.isDead) this.#publish(random, burst)
      else time.after(50, look)
    }
    look()
  }

  #harm(random: Random): void {
    const name = random.pick(FAULT_NAMES)
    this.#world.trace.note(() => `! ${name}`)
    this.#faults[name] = (this.#faults[name] ?? 0) + 1
    FAULTS[name](this.#world, random)
  }

  #act(random: Random): void {
    const client = random.pick(this.#world.clients)
    const { rights } = this.#world
    if (rights !== undefined && random.chance(0.4)) {
      rights.change(client)
      return
    }
    const fate = random.next()
    if (fate < 0.3) client.cut()
    else if (fate < 0.5) client.stall(random.next() * 5_000)
    else if (fate < 0.65) client.subscribe(random.pick(TOPICS))
    else if (fate < 0.8) this.#unsubscribe(client, random)
    else if (fate < 0.9) this.#logOut(client.person)
    else this.#disconnect(client.person)
  }

  // Mostly while something waits for the client.
  #unsubscribe(client: Client, random: Random): void {
    const wait = random.next() * 1_500
    client.stall(wait + 100)
    this.#world.time.after(wait, () => client.unsubscribe(random.pick(TOPICS)))
  }

  #disconnect({ identity }: Person): void {
    const instance = this.#world.pickInstance(this.#world.random)
    this.#world.trace.note(() => `${identity.id} is disconnected`)
    instance?.process.run(() => void instance.hub.disconnect({ identity: identity.id }).catch(() => undefined))
  }

  #logOut(person: Person): void {
    const { time, trace } = this.#world
    if (person.endedAt !== undefined) return
    person.endedAt = time.now
    trace.note(() => `${person.identity.id} is logged out`)
    this.#tellLogOut(person)
    if (person.scheme === 'session') time.after(LOGOUT_BOUND, () => this.#expectOut(person, time.now - LOGOUT_BOUND))
  }

  #tellLogOut(person: Person): void {
    const { time, random } = this.#world
    const again = (): void => void time.after(500, () => this.#tellLogOut(person))
    const instance = this.#world.pickInstance(random)
    if (instance === undefined) {
      again()
      return
    }
    const { session, token } = person.identity
    instance.process.run(() => {
      if (session !== undefined) void instance.hub.disconnect({ session }, 'logout').catch(() => undefined)
      if (token === undefined) return
      const revoked = instance.hub.revoke(token, instance.process.now() + 3_600_000 * 4)
      revoked.then(
        () => {
          person.revokedAt = time.now
        },
        () => undefined,
      )
      // An instance that crashes meanwhile does not answer at all.
      time.after(2_000, () => {
        if (person.revokedAt === undefined) this.#tellLogOut(person)
      })
    })
  }

  #expectOut(person: Person, since: number): void {
    for (const { process, visits } of this.#world.instances) {
      // Whoever was frozen could do nothing.
      if (process.frozenUntil > since) continue
      for (const visit of visits) {
        if (visit.person !== person || visit.hasEnded || visit.stream === undefined) continue
        this.#world.complaints.push(
          `${person.identity.id} still has a stream on ${process.name}, logged out at ${since}`,
        )
      }
    }
  }

  // Until all that was done is over.
  #wait(): void {
    const { time, troubledUntil } = this.#world
    if (troubledUntil > time.now) time.after(troubledUntil - time.now, () => this.#wait())
    else this.#calm()
  }

  #calm(): void {
    const { service, clients, instances, answers, time, trace } = this.#world
    service.lag = 1
    for (const client of clients) client.calm()
    answers.calm()
    trace.note(() => 'all is well')
    const look = (): void => {
      if (clients.every(({ isLive }) => isLive) && instances.every(({ isReady }) => isReady)) this.#sayLast()
      else time.after(250, look)
    }
    time.after(SETTLING, look)
    this.#watchRoom()
    time.after(PRESENCE_BOUND, () => {
      if (this.#room.rightAt === undefined) this.#world.complaints.push(`late: ${this.#room.complaint}`)
    })
    time.after(PATIENCE, () => this.#end())
  }

  // Until all have been told once who is there.
  #watchRoom(): void {
    const { time } = this.#world
    this.#room.look()
    time.after(250, () => {
      if (this.#room.rightAt === undefined) this.#watchRoom()
    })
  }

  // What everybody is to have in the end.
  #sayLast(): void {
    const { ledger, random, time } = this.#world
    for (const person of this.#world.logins.people) {
      const { endedAt = Infinity, revokedAt = Infinity, scheme } = person
      const isToBeOut = scheme === 'session' ? time.now - endedAt > LOGOUT_BOUND : time.now - revokedAt > SETTLING
      if (isToBeOut) this.#expectOut(person, endedAt)
    }
    const instance = this.#world.pickInstance(random)
    if (instance === undefined || this.#isOver) return
    this.#last = ledger.publications.length
    this.#world.publish(instance, TOPICS, 10)
    const until = time.now + 3_000
    const look = (): void => {
      this.#room.look()
      if (this.#isReached() && this.#room.isRight && this.#world.answers.isOver) this.#isOver = true
      // Whoever was still behind may have been told that this one was dropped, too.
      else if (time.now > until) this.#sayLast()
      else time.after(200, look)
    }
    look()
  }

  #isReached(): boolean {
    const { clients } = this.#world
    return this.#last !== undefined && clients.every(({ view }) => view.received.has(this.#last ?? -1))
  }

  #end(): void {
    for (const { name, view, isLive } of this.#world.clients) {
      if (!view.received.has(this.#last ?? -1)) {
        this.#world.complaints.push(`${name} does not come to the end: ${isLive ? 'has a stream' : 'has none'}`)
      }
    }
    if (!this.#room.isRight) this.#world.complaints.push(this.#room.complaint)
    for (const { hub, process } of this.#world.instances) {
      if (!hub.ready) this.#world.complaints.push(`${process.name} does not recover`)
    }
    this.#isOver = true
  }
}
