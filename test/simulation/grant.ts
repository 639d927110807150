import type { Fact, Ledger } from './ledger.ts'

/** What a newcomer wants of a topic: so many of its latest events, and its state where there is one. */
export interface TopicWish {
  readonly topic: string
  readonly replay: number
  readonly hasState: boolean
}

/** What a client is owed of a topic. */
export interface Grant {
  /** The topic's events in the life of the log that the client knows. */
  facts: readonly Fact[]
  /** Events that were taken before this many are not its business. */
  due: number
  /** How many of the topic's events have been looked at, in the present life of the log. */
  checked: number
  /** Up to this `seq` it has been told that history may be gone, in this life of the log. */
  goneTo: number
  goneIn: string | undefined
  /** It has been told of what the log had lost of the first so many events. */
  lostTo: number
  /** The life of the log in which it was given to the stream. */
  life: number
  /** Whether it was told of a gap since the last id. */
  isTold: boolean
  /** How many of the topic's latest events it wished for, until it is known which ones those are. */
  wished: number
  /** Events before this many it gets for its wish alone: as far as there is history, and not in place of lost ones. */
  wishedTo: number
  /** Events before this many nobody has wished for. */
  unwishedTo: number
  /** Whether its stream makes the topic's state, whether that may come, and whether it must come before anything else. */
  hasState: boolean
  mayHaveState: boolean
  lacksState: boolean
  /** Whether the client had been away for longer than the log remembers when it came. */
  isStale: boolean
  /** Whether it is only being added. */
  isPending: boolean
}

// The first one of the last so many.
function lastOf(facts: readonly Fact[], count: number): Fact | undefined {
  return count === 0 ? undefined : facts[Math.max(0, facts.length - count)]
}

interface Place {
  readonly topic: string
  readonly epoch: string
  /** Where the client stands. */
  readonly seq: number
  readonly due: number
}

// Field by field, and always in the same order: they are read with each event, which costs several times as much where
// their shapes differ.
export function newGrant(ledger: Ledger, { topic, epoch, seq, due }: Place): Grant {
  const facts = ledger.facts(epoch, topic)
  return {
    facts,
    due,
    checked: placeIn(facts, seq),
    goneTo: 0,
    goneIn: undefined,
    lostTo: 0,
    life: ledger.life,
    isTold: false,
    wished: 0,
    wishedTo: 0,
    unwishedTo: 0,
    hasState: false,
    mayHaveState: false,
    lacksState: false,
    isStale: seq < ledger.forgottenTo(topic),
    isPending: false,
  }
}

interface Wish {
  readonly replay: number
  /** The topic's events in the present life of the log. */
  readonly facts: readonly Fact[]
  /** How many events there were when the client asked for its stream, and how many there are. */
  readonly askedAt: number
  readonly count: number
  /** Whether the instance knows for sure where the log stood since. */
  readonly isKnown: boolean
}

/** A newcomer gets what is published since it asked, and as many before that as it wishes for. */
export function wish(grant: Grant, { replay, facts, askedAt, count, isKnown }: Wish): void {
  // What has been lost since is in no history: older ones take its place.
  const before = facts.filter(({ index, isLost }) => index < askedAt && !isLost)
  grant.due = Math.min(count, lastOf(facts, replay)?.index ?? Infinity)
  // An instance may still have what the log has lost.
  const isBound = isKnown && (replay === 0 || before.length >= replay)
  grant.unwishedTo = isBound ? Math.min(askedAt, lastOf(before, replay)?.index ?? Infinity) : 0
  grant.wished = replay
  grant.wishedTo = count
}

/** The topic's latest events were taken no later than now. */
export function settleWish(grant: Grant): void {
  const first = lastOf(grant.facts, grant.wished)?.index ?? Infinity
  grant.due = Math.max(grant.due, Math.min(grant.wishedTo, first))
  grant.wished = 0
}

/** How many events of a topic are not after a `seq`. */
export function placeIn(facts: readonly Fact[], seq: number): number {
  return facts.findLastIndex(fact => fact.seq <= seq) + 1
}
