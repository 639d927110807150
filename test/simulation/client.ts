// One file: a simulated client is one state machine, from the request to the reconnect.
import type { TopicStart } from '../../lib/hub/feed/origin.ts'
import type { StreamPolicy } from '../../lib/hub/stream-policy.ts'
import type { Random } from '../support/random.ts'
import { snapshotOf } from '../../lib/hub/feed/snapshot.ts'
import { stateOf } from './state.ts'
import { ROOM, TOPICS } from './kept.ts'
import { ClientView } from './client-view.ts'
import type { Instance } from './instance.ts'
import type { Person } from './person.ts'
import { Visit } from './visit.ts'
import type { World } from './world.ts'

/** A client that reads as fast or as slowly as it likes, and always comes back with its cursor. */
export class Client {
  readonly name: string
  view: ClientView
  person: Person
  /** Topics that its resolver grants. */
  readonly topics: Set<string>
  /** All that was wrong with what it was sent, also as somebody else before. */
  readonly complaints: string[] = []
  readonly #world: World
  readonly #random: Random
  readonly #policy: StreamPolicy
  #visit: Visit | undefined
  #text = ''
  // How many bytes were before the text.
  #start = 0
  #isReading = false
  #stalledUntil = 0
  // Milliseconds between two reads at most, and bytes that it reads at once.
  #pause = 3
  #bite = 65_536
  #isCalm = false
  // What it wishes for as a newcomer: how many of the latest events of topics, and the state of some.
  readonly #replays = new Map<string, number>()
  readonly #stateful = new Set<string>()
  // Topics of which not all instances have said yet that they were given to its streams, or taken.
  readonly #unsettled = new Set<string>()

  constructor(name: string, world: World, random: Random, policy: StreamPolicy, topics: readonly string[]) {
    this.name = name
    this.#world = world
    this.#random = random
    this.#policy = policy
    this.topics = new Set(topics)
    this.person = world.somebody()
    this.view = this.#newView()
    for (const topic of TOPICS) {
      if (random.chance(0.25)) this.#replays.set(topic, random.between(1, random.chance(0.3) ? 40 : 8))
      if (random.chance(0.15)) this.#stateful.add(topic)
    }
    if (random.chance(0.25)) {
      this.#pause = 20 + random.next() * 80
      this.#bite = random.between(200, 3_000)
    }
  }

  /** Whether it has a stream that has not been ended. */
  get isLive(): boolean {
    return this.#visit?.isOpen === true && !this.#visit.hasEnded
  }

  connect(): void {
    const instance = this.#world.pickInstance(this.#random)
    if (instance === undefined) {
      this.#comeBack()
      return
    }
    const { cursor } = this.view
    const { person } = this
    const fields = { person, policy: this.#policy, lastEventId: cursor }
    const visit: Visit = new Visit(instance, fields, {
      logins: this.#world.logins,
      resolve: isKnown => this.#resolve(visit, isKnown),
      late: () => {
        if (this.#visit === visit) this.view.late()
      },
      news: () => {
        if (this.#visit !== visit) return
        // Of a process that has died nothing more comes.
        if (visit.instance.process.isDead) this.#gone()
        else this.#readSoon()
      },
      ended: (_, handed) => {
        if (this.#visit === visit) this.view.ended(handed)
      },
    })
    this.view.asking()
    this.#visit = visit
    this.#text = ''
    this.#start = 0
    instance.process.run(() => {
      visit.begin().then(
        isOpen => {
          const how = isOpen ? 'comes to' : 'is refused by'
          this.#world.trace.note(() => `${this.name} ${how} ${instance.process.name} at ${cursor ?? 'nothing'}`)
          if (isOpen) visit.stream?.once('close', () => instance.visits.delete(visit))
        },
        () => {
          this.#world.trace.note(() => `${this.name} gets no stream from ${instance.process.name}`)
        },
      )
    })
  }

  /** Breaks the connection off. */
  cut(): void {
    const visit = this.#visit
    if (visit === undefined) return
    // Some servers never hear of it.
    if (this.#random.chance(0.8)) visit.leave()
    else this.#gone()
  }

  stall(ms: number): void {
    this.#stalledUntil = this.#world.time.now + ms
  }

  /** From now on it reads at once, and stays. */
  calm(): void {
    this.#isCalm = true
    this.#stalledUntil = 0
    this.#pause = 3
    this.#bite = 65_536
    this.#readSoon()
  }

  subscribe(topic: string): void {
    const { view } = this
    const visit = this.#visit
    const stream = visit?.stream
    if (visit === undefined || stream === undefined || !this.isLive || this.topics.has(topic)) return
    if (this.#unsettled.has(topic)) return
    this.topics.add(topic)
    this.#onInstance(() => {
      if (stream.closeReason !== undefined || this.#visit !== visit || view.topics.includes(topic)) return
      view.adding(topic)
      this.#world.trace.note(() => `${this.name} subscribes to ${topic}`)
      stream.subscribe(topic).then(
        () => {
          this.#world.trace.note(() => `${this.name} has ${topic}`)
          if (this.#visit === visit && this.topics.has(topic)) view.added(topic)
        },
        () => {
          if (this.#visit !== visit || stream.closeReason !== undefined || !this.topics.delete(topic)) return
          view.removed(topic, Infinity)
          // Without any topic it would wait for ever: it comes back for this one.
          if (this.topics.size > 0) return
          this.topics.add(topic)
          visit.leave()
        },
      )
    })
  }

  unsubscribe(topic: string): void {
    const visit = this.#visit
    const stream = visit?.stream
    if (visit === undefined || stream === undefined || !this.isLive || this.topics.size < 2) return
    if (this.#unsettled.has(topic) || !this.topics.delete(topic)) return
    this.#onInstance(() => {
      if (stream.closeReason !== undefined || this.#visit !== visit) return
      stream.unsubscribe(topic)
      if (topic === ROOM) visit.isInRoom = false
      this.#world.trace.note(() => `${this.name} unsubscribes from ${topic}`)
      this.view.removed(topic, visit.sink.handed)
    })
  }

  /** The `id` of its stream, where it has one. */
  get streamId(): string | undefined {
    return this.isLive ? this.#visit?.stream?.id : undefined
  }

  /** Whether the application may give its streams a topic, or take it: it always has one. */
  mayChange(topic: string, isGiven: boolean): boolean {
    if (this.#unsettled.has(topic)) return false
    return isGiven ? !this.view.topics.includes(topic) : this.topics.size > 1 || !this.topics.has(topic)
  }

  /**
   * The application begins to give its streams a topic, or to take it. Answers what is to be called once all instances have
   * done so, with the cursor from which on it stands, where that is known.
   */
  changing(topic: string, isGiven: boolean): (since: string | undefined) => void {
    const visit = this.#visit
    const { view } = this
    const wasOpen = visit?.isOpen === true && !visit.hasEnded
    const had = this.topics.has(topic)
    this.#unsettled.add(topic)
    if (isGiven) {
      this.topics.add(topic)
      if (!had && visit !== undefined) view.adding(topic)
    } else {
      this.topics.delete(topic)
      if (had && visit !== undefined) view.removed(topic, Infinity)
    }
    return since => {
      if (this.view !== view) return
      this.#unsettled.delete(topic)
      if (had === isGiven || visit === undefined || this.#visit !== visit) return
      if (!isGiven) view.removed(topic, visit.sink.handed)
      else if (wasOpen && visit.stream?.closeReason === undefined) view.added(topic, since)
    }
  }

  #onInstance(task: () => void): void {
    this.#visit?.instance.process.run(task)
  }

  #newView(): ClientView {
    return new ClientView(this.#world.ledger, this.#policy.overflow.kind === 'conflate')
  }

  #resolve(visit: Visit, isKnown: boolean): readonly TopicStart[] {
    const wishes = [...this.topics].map(topic => ({
      topic,
      replay: this.#replays.get(topic) ?? 0,
      hasState: this.#stateful.has(topic),
    }))
    if (this.#visit === visit) this.view.opening(wishes, isKnown)
    const { process, hub } = visit.instance
    const { ledger } = this.#world
    return wishes.map(({ topic, replay, hasState }) => {
      const snapshot = hasState ? snapshotOf(() => stateOf(topic, ledger, process), hub, 1_000) : undefined
      return { topic, replay, snapshot }
    })
  }

  #readSoon(): void {
    if (this.#isReading) return
    this.#isReading = true
    const { time } = this.#world
    const pause = Math.max(this.#stalledUntil - time.now, this.#pause * this.#random.next())
    time.after(pause, () => {
      this.#isReading = false
      const visit = this.#visit
      if (visit === undefined) return
      const { isDead, frozenUntil } = visit.instance.process
      if (isDead || visit.isOver) this.#gone()
      else if (frozenUntil <= time.now) this.#read(visit)
      else {
        // What it takes has effects in the instance, which come when that goes on.
        this.#stalledUntil = Math.max(this.#stalledUntil, frozenUntil)
        this.#readSoon()
      }
    })
  }

  #read(visit: Visit): void {
    if (this.#stalledUntil > this.#world.time.now) {
      this.#readSoon()
      return
    }
    const { sink } = visit
    for (const piece of sink.read(this.#bite)) {
      this.#world.trace.mix(piece.length)
      this.#text += textOf(piece)
    }
    this.#parse(visit)
    if (sink.isReadable) this.#readSoon()
    else if (!sink.isOpen) {
      sink.close()
      visit.lost()
      this.#gone()
    }
  }

  #parse(visit: Visit): void {
    const { trace } = this.#world
    let from = 0
    for (let end = this.#text.indexOf('\n\n'); end !== -1; end = this.#text.indexOf('\n\n', from)) {
      const block = this.#text.slice(from, end + 1)
      trace.note(() => `  ${this.name} reads ${block.slice(0, 90).replaceAll('\n', ' | ')}`)
      this.view.block(block, this.#start + from, () => visit.toldGaps.shift())
      from = end + 2
    }
    this.#start += from
    this.#text = this.#text.slice(from)
  }

  // The connection is over: it comes back, as somebody else if it has been logged out.
  #gone(): void {
    if (this.#visit === undefined) return
    this.#visit = undefined
    this.#comeBack()
  }

  #comeBack(): void {
    const isAway = !this.#isCalm && this.#random.chance(0.08)
    this.#world.time.after(isAway ? 2_000 + this.#random.next() * 7_000 : 50 + this.#random.next() * 600, () => {
      if (this.person.endedAt !== undefined) this.#logIn()
      this.connect()
    })
  }

  #logIn(): void {
    this.complaints.push(...this.view.complaints)
    this.person = this.#world.somebody()
    this.view = this.#newView()
    this.#unsettled.clear()
  }

  get instance(): Instance | undefined {
    return this.#visit?.instance
  }
}

function textOf(bytes: Uint8Array): string {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  return buffer.toString('latin1')
}
