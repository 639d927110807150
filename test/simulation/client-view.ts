// One file: what one client should have received, checked event by event against the ledger.
import { parseCursor } from '../../lib/wire/cursor.ts'
import type { Gap } from '../../lib/wire/frame.ts'
import { readBlock } from './block.ts'
import { newGrant, placeIn, settleWish, wish, type Grant, type TopicWish } from './grant.ts'
import { keptOf } from './kept.ts'
import { isOwed, type Fact, type Ledger } from './ledger.ts'
import type { StatePiece } from './state.ts'
import { MARGIN, type ToldGap } from './told-gap.ts'

/**
 * What one client has been sent, and what is wrong with that. It knows all that was published, and is told when topics
 * are given to the client and taken from it.
 */
export class ClientView {
  readonly complaints: string[] = []
  /** By their numbers. */
  readonly received = new Map<number, Fact>()
  /** What the client comes back with. */
  cursor: string | undefined
  epoch: string | undefined
  readonly #ledger: Ledger
  readonly #conflates: boolean
  readonly #grants = new Map<string, Grant>()
  // Topics that were taken away, and how many bytes had been handed over by then.
  readonly #taken = new Map<string, number>()
  // Events that the client has passed and that a fail-over has lost: it is to be told before the end.
  #owed: { readonly topic: string; readonly fact: Fact }[] = []
  // How many events there were when it asked for its stream.
  #askedAt = 0
  #seq = -1
  #streamSeq = -1
  #streamLife = 0
  // The life of the log of which it was told last.
  #toldLife = 0
  // Behind so many bytes nothing but the last block may come.
  #endsAt = Infinity
  #isOver = false

  constructor(ledger: Ledger, conflates: boolean) {
    this.#ledger = ledger
    this.#conflates = conflates
  }

  get topics(): string[] {
    return [...this.#grants.keys()]
  }

  /** It asks for a stream. */
  asking(): void {
    this.#askedAt = this.#ledger.count
  }

  /**
   * The client's resolver has been called: these topics are what it gets, on a new stream.
   *
   * @param isKnown whether it was known then where the log stood
   */
  opening(wishes: readonly TopicWish[], isKnown: boolean): void {
    const ledger = this.#ledger
    const { count } = ledger
    const isNew = this.cursor === undefined
    const topics = wishes.map(({ topic }) => topic)
    this.#streamSeq = -1
    this.#streamLife = this.#ledger.life
    this.#endsAt = Infinity
    this.#isOver = false
    this.#taken.clear()
    for (const topic of this.#grants.keys()) if (!topics.includes(topic)) this.removed(topic, 0)
    for (const { topic, replay, hasState } of wishes) {
      const known = this.#grants.get(topic)
      const grant = known === undefined || isNew || known.isPending ? this.#newGrant(topic, 0) : known
      grant.isStale = this.#seq < this.#ledger.forgottenTo(topic)
      grant.hasState = hasState
      grant.mayHaveState = grant.lacksState = hasState && isNew
      // Who resumes in the middle of a wish gets all that came since.
      grant.unwishedTo = 0
      if (isNew)
        wish(grant, {
          replay,
          facts: ledger.facts(ledger.epoch, topic),
          askedAt: this.#askedAt,
          count,
          isKnown: isKnown && !ledger.isBehind,
        })
      this.#grants.set(topic, grant)
    }
  }

  /** Nobody knew in time which events are the last ones. */
  late(): void {
    for (const grant of this.#grants.values()) grant.unwishedTo = 0
  }

  /** A topic is being added to the living stream. */
  adding(topic: string): void {
    const grant = this.#newGrant(topic, this.#ledger.count)
    grant.isPending = true
    this.#grants.set(topic, grant)
  }

  /** The topic is live, from this cursor on where that is known. */
  added(topic: string, since?: string): void {
    const grant = this.#grants.get(topic)
    if (grant?.isPending !== true) return
    grant.isPending = false
    grant.life = this.#ledger.life
    // It begins at a moment between the call and its answer, in whichever life of the log that was.
    const place = parseCursor(since)
    const later =
      typeof place === 'object' ? this.#ledger.facts(place.epoch, topic).find(({ seq }) => seq > place.seq) : undefined
    grant.due = later?.index ?? this.#ledger.count
  }

  /** Nothing of a topic may be handed over behind these bytes. */
  removed(topic: string, handed: number): void {
    this.#grants.delete(topic)
    this.#owed = this.#owed.filter(owed => owed.topic !== topic)
    this.#taken.set(topic, handed)
  }

  /** Its right to read is gone: behind so many bytes nothing but the last block may come. */
  ended(handed: number): void {
    this.#endsAt = Math.min(this.#endsAt, handed)
  }

  /** A whole block has been read, that begins behind so many bytes. */
  block(text: string, start: number, nextGap: () => ToldGap | undefined): void {
    const { event, data, id, junk } = readBlock(text)
    for (const line of junk) this.#complain(`a line of no block: ${line}`)
    if (this.#isOver) this.#complain(`${event} came behind the last block`)
    if (event === 'goaway') this.#isOver = true
    else if (start >= this.#endsAt) this.#complain(`${event} ${data.slice(0, 20)} left after the right to read it`)
    else if (event === 'gap') this.#gap(JSON.parse(data) as Gap, nextGap())
    else if (event === 'state') this.#state(JSON.parse(data.split(' ', 1)[0] ?? '') as StatePiece, start)
    else this.#place(event, data, id, start)
  }

  /** What is still wrong when all has come that ever will. */
  final(): string[] {
    const untold = this.#owed.filter(
      ({ topic, fact }) =>
        isOwed(fact) && !this.received.has(fact.publication.number) && !this.#isConflated(topic, fact),
    )
    return [
      ...this.complaints,
      ...untold.map(({ topic, fact }) => `${nameOf(fact)} of ${topic} was lost by the log, and nobody said so`),
    ]
  }

  #place(event: string, data: string, id: string | undefined, start: number): void {
    if (id === undefined) {
      if (event !== 'cursor') this.#complain(`a ${event} without an id`)
      return
    }
    const fact = this.#ledger.factOf(id)
    const cursor = fact ?? parseCursor(id)
    if (typeof cursor !== 'object') {
      this.#complain(`an id that is none: ${id}`)
      return
    }
    const { epoch, seq } = cursor
    if (epoch !== this.epoch) this.#beginAnew(epoch)
    if (seq <= this.#streamSeq) this.#complain(`${event} ${seq} after ${this.#streamSeq}, on one stream`)
    if (event === 'cursor' ? seq < this.#seq : seq <= this.#seq) {
      this.#complain(`${event} ${seq} after ${this.#seq}`)
    }
    if (event !== 'cursor') this.#receive(Number.parseInt(data), fact, start)
    for (const grant of this.#grants.values()) if (grant.wished > 0) settleWish(grant)
    this.#seq = seq
    this.#streamSeq = seq
    this.cursor = id
    for (const [topic, grant] of this.#grants) {
      if (!grant.isPending && grant.checked < grant.facts.length) this.#check(topic, grant)
      if (grant.lacksState) this.#complain(`${event} ${seq} came before the state of ${topic}`)
      grant.isTold = false
    }
  }

  #receive(number: number, fact: Fact | undefined, start: number): void {
    if (fact?.publication.number !== number) {
      this.#complain(`event ${number} has an id that the log never gave it`)
      return
    }
    const { publication } = fact
    // Where an earlier life of the log has come back, an instance that did not know it begins where that began.
    if (this.received.get(number) === fact && !this.#ledger.hasFallenBack) this.#complain(`event ${number} came twice`)
    this.received.set(number, fact)
    if (!publication.topics.some(topic => this.#mayRead(topic, start))) {
      this.#complain(`event ${number} of ${publication.topics.join()} is not its own`)
    }
    const isWished = (topic: string): boolean => fact.index >= (this.#grants.get(topic)?.unwishedTo ?? 0)
    if (!publication.topics.some(isWished)) this.#complain(`event ${number} is older than what it wished for`)
  }

  #mayRead(topic: string, start: number): boolean {
    return this.#grants.has(topic) || start < (this.#taken.get(topic) ?? 0)
  }

  #beginAnew(epoch: string): void {
    for (const [topic, grant] of this.#grants) {
      grant.facts = this.#ledger.facts(epoch, topic)
      grant.checked = 0
      // It may have been told already of what is gone in this life.
      if (grant.goneIn !== epoch) grant.goneTo = 0
      if (this.epoch !== undefined) grant.unwishedTo = 0
      if (grant.isTold || this.epoch === undefined || grant.life >= this.#toldLife) continue
      if (!grant.isPending) this.#complain(`another life of the log, ${epoch}, was not told of ${topic}`)
    }
    this.epoch = epoch
    this.#seq = -1
    this.#streamSeq = -1
  }

  // Everything of a topic up to the client's cursor has come, or it was told.
  #check(topic: string, grant: Grant): void {
    const { facts } = grant
    for (; grant.checked < facts.length; grant.checked += 1) {
      const fact = facts[grant.checked]
      if (fact === undefined || (fact.seq > this.#seq && !fact.isLost)) return
      if (!this.#isMissing(grant, fact)) continue
      if (fact.index < grant.wishedTo && (fact.isLost || fact.seq <= this.#ledger.goneTo(fact.epoch, topic))) continue
      if (this.#isConflated(topic, fact)) continue
      if (fact.isLost) this.#owed.push({ topic, fact })
      else {
        this.#complain(`${nameOf(fact)} of ${topic} was lost in silence, at ${this.cursor ?? ''}`)
      }
    }
  }

  #isMissing(
    { due, goneTo, lostTo }: Pick<Grant, 'due' | 'goneTo' | 'lostTo'>,
    { index, seq, publication, isLost }: Fact,
  ): boolean {
    return index >= due && seq > goneTo && !(isLost && index < lostTo) && !this.received.has(publication.number)
  }

  #isConflated(topic: string, { epoch, index, publication: { key } }: Fact): boolean {
    if (!this.#conflates) return false
    return this.#ledger.facts(epoch, topic).some(later => later.index > index && later.publication.key === key)
  }

  #gap({ topics, reason }: Gap, told: ToldGap | undefined): void {
    if (told?.gap.reason !== reason || told.gap.topics.join() !== topics.join()) {
      this.#complain(`a gap that nobody told: ${reason} of ${topics.join()}`)
      return
    }
    if (reason === 'epoch') {
      this.#toldLife = told.life
      // An earlier life may have come back before the stream has said anything of the later one.
      this.#streamSeq = -1
    }
    for (const topic of topics) {
      const grant = this.#grants.get(topic)
      if (grant === undefined) {
        if (!this.#taken.has(topic)) this.#complain(`a gap of ${topic}, which is not its own`)
        continue
      }
      if (!this.#isTrue(topic, grant, told)) {
        this.#complain(`a false gap of ${topic}: ${reason}, at ${this.cursor ?? 'the beginning'}`)
      }
      this.#forgive(topic, grant, told)
    }
    // The client stood where the log has never been, as far as anybody knows: it is put to where that stands.
    if (reason === 'unknown') this.#seq = this.#streamSeq = -1
  }

  #forgive(topic: string, grant: Grant, told: ToldGap): void {
    const { gap, count, here } = told
    const { reason } = gap
    grant.isTold = true
    grant.unwishedTo = 0
    grant.mayHaveState = grant.lacksState = grant.hasState
    this.#owed = this.#owed.filter(owed => owed.topic !== topic || owed.fact.index >= count)
    if (reason !== 'epoch') grant.lostTo = Math.max(grant.lostTo, count)
    if (reason !== 'trimmed') grant.due = grant.due === Infinity ? count : Math.max(grant.due, count)
    else {
      grant.goneTo = this.#goneTo(topic, told)
      grant.goneIn = here
    }
  }

  /** Whether what the client is told of a gap is so. */
  #isTrue(topic: string, grant: Grant, told: ToldGap): boolean {
    const { reason } = told.gap
    if (reason === 'epoch') {
      return told.epoch !== this.epoch || told.life !== this.#streamLife || this.#ledger.hasFallenBack
    }
    if (reason === 'unknown') return this.#ledger.isLossy(this.epoch ?? '')
    if (this.#owed.some(owed => owed.topic === topic)) return true
    if (reason === 'trimmed' && (this.#isForgotten(topic, grant, told) || this.#ledger.hasFallenBack)) return true
    const goneTo = reason === 'overflow' ? Infinity : this.#goneTo(topic, told)
    const isHere = told.here === this.epoch
    const all = this.#ledger.facts(told.here, topic)
    const facts = isHere ? all.slice(placeIn(all, this.#seq)) : all
    // What another gap has told of already may be told again to a client whose cursor is before it.
    const isNew = this.cursor === undefined && !grant.isTold
    const known = { due: isNew ? grant.due : 0, goneTo: 0, lostTo: isNew ? grant.lostTo : 0 }
    return facts.some(
      fact =>
        fact.index < told.count &&
        (fact.seq <= goneTo || fact.isLost) &&
        // What a client has had in another life of the log nobody knows there.
        (this.#isMissing(known, fact) || fact.publication.facts.length > 1),
    )
  }

  // Of a life that is over nothing is left; of one that has lost events not every copy fits to what is left.
  #goneTo(topic: string, { epoch, here, goneTo }: ToldGap): number {
    const isWhole = epoch === here && !this.#ledger.isLossy(here)
    return isWhole ? (goneTo.get(topic) ?? 0) : Infinity
  }

  // Whoever was away for longer than the log remembers cannot be told that nothing came.
  #isForgotten(topic: string, { isStale }: Grant, { forgottenTo, silentFor }: ToldGap): boolean {
    return this.#seq < (forgottenTo.get(topic) ?? 0) && (isStale || silentFor > keptOf(topic).age - MARGIN)
  }

  // It comes in pieces, behind the last of which it is whole.
  #state({ topic, count, left }: StatePiece, start: number): void {
    // It may have been handed over before the topic was taken away, and given again since.
    if (start < (this.#taken.get(topic) ?? 0)) return
    const grant = this.#grants.get(topic)
    if (grant === undefined) {
      this.#complain(`the state of ${topic}, which is not its own`)
      return
    }
    if (!grant.mayHaveState) this.#complain(`the state of ${topic} came over what it has`)
    grant.due = Math.max(grant.due === Infinity ? 0 : grant.due, count)
    if (left === 0) grant.mayHaveState = grant.lacksState = false
  }

  #newGrant(topic: string, due: number): Grant {
    return newGrant(this.#ledger, { topic, epoch: this.epoch ?? '', seq: this.#seq, due })
  }

  #complain(what: string): void {
    this.complaints.push(what)
  }
}

function nameOf({ publication, epoch, seq }: Fact): string {
  return `event ${publication.number} at ${epoch}-${seq}`
}
