import { formatPosition } from '../../lib/wire/cursor.ts'
import type { Entry } from './log-server.ts'
import type { LogState } from '../../lib/broker/replica/log-engine.ts'
import { keptOf } from './kept.ts'
import { BEGINNING, type SimulatedProcess } from './simulated-process.ts'
import type { VirtualTime } from './virtual-time.ts'

/** What is wanted to be published. Its data begins with its number. */
export interface Publication {
  readonly number: number
  readonly topics: readonly string[]
  /** Of events with the same one a client that conflates gets the latest. */
  readonly key: string
  /** The key that it is published with, so that it may be repeated. */
  readonly name: string | undefined
  /** How often it was tried. */
  tries: number
  /** All places in the log that it was given: more than one would be a double. */
  readonly facts: Fact[]
}

/** An event that the log has taken. */
export interface Fact {
  readonly publication: Publication
  readonly epoch: string
  readonly seq: number
  /** Which one of all that were ever taken. */
  readonly index: number
  /** By the time of the world. */
  readonly at: number
  readonly bytes: number
  /** Whether it is in no history any more, though it was not too old: a fail-over lost it, or it was evicted. */
  isLost: boolean
  /** Who was told that the log has it, and would miss it. */
  witness: SimulatedProcess | undefined
  /** Whether that one has asked the log since. */
  isAsked: boolean
  /** The lost event after which it would stand, of a server whose clock was ahead: whoever knows of that one has to tell. */
  readonly shadow: Fact | undefined
}

/** Whether somebody lives who knows of a loss. */
export function isOwed(fact: Fact): boolean {
  const { witness } = fact.shadow ?? fact
  return witness?.isDead === false
}

// How far instances may be off in what time it is for the log, in milliseconds.
const IMPRECISION = 1_000

/** Knows everything that was published, and what became of it. */
export class Ledger {
  readonly publications: Publication[] = []
  /** What the log was asked to do, and should not have been. */
  readonly complaints: string[] = []
  /** The present life of the log, and a number that changes with it, and whenever it has lost something. */
  epoch = ''
  life = 0
  /** Whether a fail-over has ever put an earlier life in place of a later one: not every instance knows that at once. */
  hasFallenBack = false
  /** Whether somebody may have met a server that is behind without knowing it. */
  isBehind = false
  /** By how much the clocks of servers have been changed, altogether. */
  steps = 0
  readonly #time: VirtualTime
  readonly #facts: Fact[] = []
  // How many of them were there when all was flushed last.
  #flushedTo = 0
  readonly #byTopic = new Map<string, Map<string, Fact[]>>()
  readonly #byId = new Map<string, Fact>()
  // The last event that each life of the log has lost.
  readonly #lossy = new Map<string, Fact>()

  constructor(time: VirtualTime) {
    this.#time = time
  }

  /** How many events the log has ever taken. */
  get count(): number {
    return this.#facts.length
  }

  publication(topics: readonly string[], key: string, isNamed: boolean): Publication {
    const number = this.publications.length
    const name = isNamed ? `n${number}` : undefined
    const publication: Publication = { number, topics, key, name, tries: 0, facts: [] }
    this.publications.push(publication)
    return publication
  }

  /** Events of a topic in a life of the log, in the order in which they were taken. */
  facts(epoch: string, topic: string): readonly Fact[] {
    return this.#listOf(epoch, topic)
  }

  /** What the log has given an id to. */
  factOf(id: string): Fact | undefined {
    return this.#byId.get(id)
  }

  /** Whether events of a life of the log were lost in it. */
  isLossy(epoch: string): boolean {
    return this.#lossy.has(epoch)
  }

  /** Events before this `seq` are so old that the log may have forgotten when the topic last had one. */
  forgottenTo(topic: string): number {
    return (BEGINNING + this.#time.now - keptOf(topic).age + IMPRECISION + this.steps) * 1_000
  }

  /** Whether somebody may take an event of a topic for too old. */
  isOld(topic: string, { at }: Fact): boolean {
    return this.#time.now - at > keptOf(topic).age - IMPRECISION - this.steps
  }

  /**
   * Up to which `seq` events of a topic may be in no history any more: there are enough newer ones, or they are so old
   * that somebody may take them for too old.
   */
  goneTo(epoch: string, topic: string): number {
    const { count, bytes } = keptOf(topic)
    const facts = this.facts(epoch, topic)
    let [events, size] = [0, 0]
    for (let index = facts.length - 1; index >= 0; index -= 1) {
      const fact = facts[index]
      // What the log has lost may have taken the place of others in a copy of it.
      if (fact === undefined) continue
      events += 1
      size += fact.bytes
      if (events > count || size > bytes || this.isOld(topic, fact)) return fact.seq
    }
    return 0
  }

  /** Somebody was told that an event is in the log. Answers what is wrong with that. */
  acknowledged(publication: Publication, id: string, witness: SimulatedProcess): string | undefined {
    const { number } = publication
    const fact = this.#byId.get(id)
    if (fact?.publication !== publication)
      return `event ${number} was acknowledged as ${id}, where the log does not have it`
    fact.witness = witness
    return undefined
  }

  // What the log says.

  appended(epoch: string, { seq, frame, topics }: Entry, body: Uint8Array): void {
    const publication = this.publications[numberIn(body)]
    if (publication === undefined) throw new Error('the log took what nobody published')
    const lost = this.#lossy.get(epoch)
    const shadow = lost !== undefined && seq < lost.seq ? lost : undefined
    const fact: Fact = {
      publication,
      epoch,
      seq,
      index: this.#facts.length,
      at: this.#time.now,
      bytes: frame.length,
      // It stands before what the log has lost, which goes with it once that is noticed.
      isLost: shadow !== undefined,
      witness: undefined,
      isAsked: false,
      shadow,
    }
    this.#facts.push(fact)
    for (const earlier of publication.facts) {
      if (this.#isKnown(earlier)) this.complaints.push(`event ${publication.number} was published twice`)
    }
    publication.facts.push(fact)
    this.#byId.set(formatPosition(epoch, seq), fact)
    this.epoch = epoch
    for (const topic of topics) this.#listOf(epoch, topic).push(fact)
  }

  began(epoch: string): void {
    this.epoch = epoch
    this.life += 1
  }

  failedOver({ epoch, seq }: LogState): void {
    for (const fact of this.#facts) {
      // An earlier life may have come back, without its end.
      const isKept = fact.epoch === epoch ? fact.seq <= seq : fact.epoch !== this.epoch
      if (fact.isLost || isKept) continue
      fact.isLost = true
      if (fact.seq > (this.#lossy.get(fact.epoch)?.seq ?? 0)) this.#lossy.set(fact.epoch, fact)
    }
    this.hasFallenBack ||= epoch !== this.epoch
    if (epoch !== this.epoch || this.#lossy.has(epoch)) this.began(epoch)
  }

  /** The clock was set: of what is lost already nobody can tell any more that the log should know it. */
  stepped(ms: number): void {
    this.steps += ms
    for (const fact of this.#facts) if (fact.isLost) fact.witness = undefined
  }

  /** An instance has asked the log. Where newer events have taken a lost one's place already, nothing tells it of the loss. */
  asked(process: SimulatedProcess): void {
    for (const fact of this.#facts) {
      if (!fact.isLost || fact.witness !== process || fact.isAsked) continue
      fact.isAsked = true
      if (fact.publication.topics.every(topic => fact.seq <= this.goneTo(fact.epoch, topic))) fact.witness = undefined
    }
  }

  /** @param isWhole whether the log denies that there were any: who knows better may not hear of it before they are old */
  evicted(epoch: string, topic: string, isWhole: boolean): void {
    for (const fact of this.facts(epoch, topic)) {
      fact.isLost = true
      if (isWhole) fact.witness = undefined
    }
  }

  /** All is gone, also what was published with which key. */
  flushed(): void {
    this.#flushedTo = this.count
  }

  // Whether the log must remember with which key an event was published.
  #isKnown(fact: Fact): boolean {
    if (fact.isLost || this.hasFallenBack || fact.index < this.#flushedTo) return false
    return fact.publication.topics.some(topic => !this.isOld(topic, fact))
  }

  // Always the same list, so that whoever follows a topic may keep it.
  #listOf(epoch: string, topic: string): Fact[] {
    let byTopic = this.#byTopic.get(epoch)
    if (byTopic === undefined) this.#byTopic.set(epoch, (byTopic = new Map<string, Fact[]>()))
    let facts = byTopic.get(topic)
    if (facts === undefined) byTopic.set(topic, (facts = []))
    return facts
  }
}

const DIGITS = { first: 48, last: 57 }

// The number with which the data of an event begins.
function numberIn(body: Uint8Array): number {
  let number = 0
  for (let at = 'data: '.length; at < body.length; at += 1) {
    const digit = body[at] ?? 0
    if (digit < DIGITS.first || digit > DIGITS.last) break
    number = number * 10 + digit - DIGITS.first
  }
  return number
}
