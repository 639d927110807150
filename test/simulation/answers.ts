import type { StreamPolicy } from '../../lib/hub/stream-policy.ts'
import type { Random } from '../support/random.ts'
import { say, type Answer } from './answer.ts'
import { AnswerReader } from './answer-reader.ts'
import { RUN_LEASE } from './instance.ts'
import type { World } from './world.ts'

const ANSWERS = 2
const READERS = 3
/** Milliseconds that an answer takes at most. */
const LONGEST = 2_500
/** How long it may take beyond the lease until everybody has been told: a reader that is away comes back, and is served. */
const MARGIN = 2_500
const OWNER = 'owner'

/** Answers that are begun in a run, with their readers. */
export class Answers {
  readonly #world: World
  readonly #random: Random
  readonly #policy: StreamPolicy
  readonly #readers: AnswerReader[] = []
  // The names of the runs that were begun by each id.
  readonly #names = new Map<string, Set<string>>()
  readonly #complaints: string[] = []
  #begun = 0
  #starting = 0

  constructor(world: World, random: Random, policy: StreamPolicy) {
    this.#world = world
    this.#random = random
    this.#policy = policy
  }

  /** Has answers begin until a time. */
  plan(from: number, until: number): void {
    for (let n = 0; n < ANSWERS; n += 1) {
      this.#world.time.after(from + this.#random.next() * (until - from), () => this.begin())
    }
  }

  /** Somebody asks for an answer, and others read it. */
  begin(): void {
    const random = this.#random
    const { time } = this.#world
    const tokens = random.between(1, 60)
    const answer: Answer = {
      id: `q${(this.#begun += 1)}`,
      tokens,
      pause: (LONGEST / tokens) * random.next(),
      fails: random.chance(0.15),
    }
    this.#names.set(answer.id, new Set())
    this.#starting += 1
    this.#start(answer, () => {
      this.#starting -= 1
    })
    for (let n = 0; n < READERS; n += 1) {
      const reader = new AnswerReader(answer.id, this.#world, this.#world.newRandom(), this.#policy)
      this.#readers.push(reader)
      time.after(random.next() * LONGEST, () => reader.connect())
    }
    if (random.chance(0.3)) time.after(random.next() * LONGEST, () => this.#cancel(answer.id))
  }

  /** All faults are over: what has begun comes to its end, within the lease where its producer has died. */
  calm(): void {
    for (const reader of this.#readers) reader.calm()
    this.#world.time.after(RUN_LEASE + LONGEST + MARGIN, () => {
      for (const { id, isDone, view } of this.#readers) {
        if (!isDone) this.#complaints.push(`a reader of ${id} still waits, with ${view.end ?? 'no end'}`)
      }
    })
  }

  /** Whether all is said and read. */
  get isOver(): boolean {
    return this.#starting === 0 && this.#readers.every(({ isDone }) => isDone)
  }

  get complaints(): string[] {
    const all = [...this.#complaints]
    for (const { id, view } of this.#readers) all.push(...view.complaints.map(what => `a reader of ${id}: ${what}`))
    for (const [id, names] of this.#names) this.#checkNames(id, [...names], all)
    return all
  }

  // A run is begun anew only where the one before was interrupted.
  #checkNames(id: string, names: readonly string[], complaints: string[]): void {
    const { runs } = this.#world.service
    for (const name of names.slice(0, -1)) {
      const kind = runs.endOf(name)?.kind
      if (kind !== 'interrupted' && !runs.isLossy(name))
        complaints.push(`${id} was begun anew, ${kind ?? 'without an end'}`)
    }
  }

  // Whoever hears nothing asks again, on any instance.
  #start(answer: Answer, started: () => void): void {
    const { time, trace } = this.#world
    const instance = this.#world.pickInstance(this.#random)
    let isOver = false
    const again = (): void => {
      if (isOver) return
      isOver = true
      time.after(this.#random.next() * 200, () => this.#start(answer, started))
    }
    time.after(RUN_LEASE, again)
    instance?.process.run(() => {
      trace.note(() => `${instance.process.name} is asked to begin ${answer.id}`)
      instance.runs
        .start(answer.id, OWNER, signal => say(answer, instance.process, signal))
        .then(record => {
          if (typeof record === 'string') this.#complaints.push(`${answer.id} was refused: ${record}`)
          else this.#names.get(answer.id)?.add(record.name)
          if (isOver) return
          isOver = true
          started()
        }, again)
    })
  }

  #cancel(id: string): void {
    const { trace, service, time } = this.#world
    const instance = this.#world.pickInstance(this.#random)
    instance?.process.run(() => {
      trace.note(() => `${instance.process.name} is asked to cancel ${id}`)
      const cancel = async (): Promise<void> => {
        const record = await instance.runs.find(id)
        if (record === undefined || !(await instance.runs.cancel(record))) return
        trace.note(() => `${id} is cancelled`)
        if (service.runs.endOf(record.name) === undefined) {
          this.#complaints.push(`${id} was cancelled at ${time.now}, and no log says so`)
        }
      }
      cancel().catch(() => undefined)
    })
  }
}
