import type { Buffer } from 'node:buffer'
import type { Clock } from '../../clock.ts'
import { within } from '../../deadline.ts'
import { EventStreamError } from '../../errors.ts'
import type { Position } from '../../wire/cursor.ts'
import type { BrokerListener, Slice } from '../broker.ts'
import type { HistoryLimits } from '../history.ts'
import type { LogNames } from './keys.ts'
import type { Link } from './link.ts'
import { hasLost, NOTHING, type Log, type LogState, type TopicState, type Wish } from './log.ts'
import { readMessage, type LoggedEvent } from './message.ts'
import { Mirror } from './mirror.ts'

/** How long a topic is listened to after its last stream has gone: a page that is loaded anew comes back at once. */
export const LINGER = 10_000

// Topics a script call: Redis does nothing else while it works on one.
const TOPICS = 200
// Epochs that are remembered as over.
const PAST = 16
// How long events of such an epoch may come before the log is looked at, in milliseconds.
const DOUBT = 500

export interface ReplicaParts {
  readonly log: Log
  readonly link: Link
  readonly names: LogNames
  readonly limits: HistoryLimits
  readonly clock: Clock
  readonly listener: BrokerListener
  /** Milliseconds until a subscription that cannot be confirmed is given up. */
  readonly timeout: number
}

/**
 * This instance's copy of the log, of the topics that its streams have.
 *
 * Events are handed on in the order of the log. Whenever something may be missing (a new topic, a lost connection, a
 * hole in a topic's chain of predecessors) the topics in question are held: what comes is kept aside, Redis is asked for
 * what came before, and only when all of it has been put in order do they go on.
 */
export class Replica {
  readonly #parts: ReplicaParts
  readonly #mirrors = new Map<string, Mirror>()
  // Mirrors that are held, and of which it has not been asked yet what they miss.
  readonly #unsynced = new Set<Mirror>()
  readonly #stopSweeping: () => void
  #epoch = ''
  #seq = 0
  #base = 0
  // How far the clock of Redis, by which events age, is ahead of ours, in milliseconds.
  #ahead = 0
  #connected = false
  // From the moment in which anything may be missing until all topics have been put in order.
  #holding = true
  // Counts these moments: an answer to a question from before one of them is of no use any more.
  #generation = 0
  #working = false
  // Epochs that are not the log's any more, or never were.
  readonly #past = new Set<string>()
  #looking: Promise<LogState> | undefined
  #stopDoubting: (() => void) | undefined
  // Unknown until the first attempt has succeeded or failed.
  #ready: boolean | undefined

  constructor(parts: ReplicaParts) {
    this.#parts = parts
    this.#stopSweeping = parts.clock.every(LINGER / 2, () => {
      this.#sweep()
    })
  }

  get ready(): boolean {
    return this.#ready === true
  }

  /** Everything up to here, on the topics that are live, has been handed on. */
  get position(): Position {
    return { epoch: this.#epoch, seq: this.#seq }
  }

  want(topic: string): void | Promise<void> {
    const mirror = this.#mirrors.get(topic) ?? this.#addMirror(topic)
    mirror.idleSince = undefined
    return mirror.held === undefined ? undefined : this.#inTime(mirror.live)
  }

  unwant(topic: string): void {
    const mirror = this.#mirrors.get(topic)
    if (mirror !== undefined) mirror.idleSince = this.#parts.clock.now()
  }

  /** Catches up if a client is ahead of us, and fetches the history of topics of which not enough is here. */
  async load(topics: readonly string[], since: number, epoch?: string): Promise<void> {
    if (this.#isAhead(since, epoch)) await this.#inTime(this.#catchUp(topics))
    const loads: Promise<void>[] = []
    for (const topic of topics) {
      const mirror = this.#mirrors.get(topic)
      if (mirror?.lacks(since) === true) loads.push(this.#inTime(this.#loadOnce(mirror)))
    }
    await Promise.all(loads)
  }

  read(topic: string, after: number, limit: number): Slice {
    const mirror = this.#mirrors.get(topic)
    mirror?.expire(this.#parts.clock.now() + this.#ahead)
    return mirror?.read(Math.max(after, this.#base), limit) ?? { events: [], more: false, trimmed: false }
  }

  startOfLast(topic: string, count: number): number {
    const mirror = this.#mirrors.get(topic)
    mirror?.expire(this.#parts.clock.now() + this.#ahead)
    return mirror?.startOfLast(count) ?? this.#seq
  }

  up(): void {
    this.#connected = true
    this.resync()
  }

  down(error: unknown): void {
    this.#connected = false
    this.#hold()
    this.#setReady(false, error)
  }

  /** Holds everything and asks what is missing. */
  resync(): void {
    this.#hold()
    this.#sync()
  }

  message(channel: string, payload: Buffer): void {
    const event = readMessage(payload)
    if (event !== undefined && this.#past.has(event.epoch)) this.#doubt()
    if (event === undefined || this.#past.has(event.epoch)) {
      this.#parts.listener.fault(
        'redis message',
        new EventStreamError('ERR_BROKER', `what came on ${channel} is no event of this log`),
      )
      return
    }
    const mirror = this.#mirrors.get(this.#parts.names.topicOf(channel))
    if (mirror?.held !== undefined) mirror.held.push(event)
    else if (mirror !== undefined) this.#accept(mirror, event)
  }

  close(): void {
    this.#connected = false
    this.#stopSweeping()
    this.#stopDoubting?.()
    const error = new EventStreamError('ERR_BROKER', 'the broker has been closed')
    for (const mirror of this.#mirrors.values()) mirror.fail(error)
  }

  #accept(mirror: Mirror, event: LoggedEvent): void {
    const { last = 0 } = mirror
    if (event.epoch === this.#epoch && event.seq <= last) return
    if (event.epoch !== this.#epoch || event.previous !== last) {
      this.#hold()
      mirror.held?.push(event)
      this.#sync()
      return
    }
    this.#handOn(mirror, event)
  }

  #handOn(mirror: Mirror, event: LoggedEvent): void {
    mirror.append(event)
    // Of its other topics it may be still to come: a stream that starts here must not take it for had.
    this.#seq = Math.max(this.#seq, event.isShared ? event.seq - 1 : event.seq)
    if (mirror.idleSince === undefined) this.#parts.listener.event([mirror.topic], event)
  }

  #addMirror(topic: string): Mirror {
    const mirror = new Mirror(topic, this.#parts.limits)
    this.#mirrors.set(topic, mirror)
    this.#unsynced.add(mirror)
    // All topics that are wanted in this turn are asked about in one go.
    queueMicrotask(() => {
      this.#sync()
    })
    return mirror
  }

  #hold(): void {
    this.#holding = true
    this.#generation += 1
    for (const mirror of this.#mirrors.values()) {
      mirror.hold()
      this.#unsynced.add(mirror)
    }
  }

  #sync(): void {
    if (this.#working || !this.#connected) return
    this.#working = true
    this.#work()
      .then(() => {
        if (this.#connected) this.#setReady(true)
      })
      .catch((error: unknown) => {
        this.#parts.link.lose(error)
      })
      .finally(() => {
        this.#working = false
        if (this.#unsynced.size > 0 || this.#holding) this.#sync()
      })
  }

  async #work(): Promise<void> {
    const { link, names } = this.#parts
    do {
      const generation = this.#generation
      const batch = [...this.#unsynced]
      this.#unsynced.clear()
      try {
        await link.subscribe(batch.map(({ topic }) => names.channel(topic)))
        const epochs = this.#epochsHeld(batch)
        const answer = await this.#ask(batch)
        // Redis was asked on another connection: what it handed out before it answered must have arrived.
        await link.fence()
        for (const epoch of epochs) if (epoch !== answer.state.epoch) this.#end(epoch)
        if (generation === this.#generation) await this.#join(batch, answer)
      } catch (error) {
        for (const mirror of batch) this.#unsynced.add(mirror)
        // It failed with the connection that it was begun on; there is another one now.
        if (generation === this.#generation || !this.#connected) throw error
      }
    } while (this.#unsynced.size > 0 || this.#holding)
  }

  async #ask(batch: readonly Mirror[]): Promise<Answer> {
    const acknowledged = this.#holding ? this.#parts.log.acknowledged.of(this.#epoch) : new Map<string, number>()
    const wanted = new Map<string, Wish>()
    for (const { topic, last: after } of batch) wanted.set(topic, after === undefined ? NOTHING : { after })
    for (const [topic, after] of acknowledged) {
      if ((wanted.get(topic) ?? NOTHING) === NOTHING) wanted.set(topic, { after, count: 1 })
    }
    const entries = [...wanted]
    const topics = new Map<string, TopicState>()
    let state: LogState | undefined
    do {
      const piece = await this.#parts.log.read(new Map(entries.splice(0, TOPICS)))
      // What all pieces agree on is no newer than the first of them.
      state ??= piece.state
      if (piece.state.epoch !== state.epoch) throw new EventStreamError('ERR_BROKER', 'the log began anew meanwhile')
      for (const topic of piece.topics) topics.set(topic.topic, topic)
    } while (entries.length > 0)
    return { state, topics, acknowledged }
  }

  async #join(batch: readonly Mirror[], answer: Answer): Promise<void> {
    const { state } = answer
    const isNew = this.#epoch !== '' && state.epoch !== this.#epoch
    if (isNew && this.#holding) this.#beginAnew(state)
    else if (!isNew && this.#holding && this.#isBehind(batch, answer)) {
      await this.#parts.log.renew(state.epoch, Math.max(this.#seq, ...answer.acknowledged.values()))
    } else if (!isNew && isOfEpoch(batch, state.epoch)) {
      this.#goOn(batch, answer)
      return
    }
    this.#hold()
  }

  #goOn(batch: readonly Mirror[], answer: Answer): void {
    const { state } = answer
    this.#epoch = state.epoch
    this.#base = state.base
    this.#ahead = state.now - this.#parts.clock.now()
    const { lost, missed } = this.#missing(batch, answer)
    if (lost.length > 0) this.#parts.listener.gap(lost, 'trimmed')
    for (const [mirror, event] of missed) this.#handOn(mirror, event)
    this.#seq = Math.max(this.#seq, state.seq)
    this.#holding = false
    for (const mirror of batch) mirror.release()
  }

  /** Topics of which events are lost, and what the others missed, in the order of the log. */
  #missing(batch: readonly Mirror[], { topics }: Answer): { lost: string[]; missed: [Mirror, LoggedEvent][] } {
    const lost: string[] = []
    const missed: [Mirror, LoggedEvent][] = []
    for (const mirror of batch) {
      const topic = topics.get(mirror.topic)
      if (topic === undefined) continue
      if (isLost(mirror, topic)) lost.push(mirror.topic)
      for (const event of missedBy(mirror, topic)) missed.push([mirror, event])
    }
    missed.sort(([, a], [, b]) => a.seq - b.seq)
    return { lost, missed }
  }

  // What was acknowledged or handed on is not in the log: a fail-over to a replica that had not got it, most likely.
  #isBehind(batch: readonly Mirror[], { state, topics, acknowledged }: Answer): boolean {
    if (state.seq < this.#seq) return true
    for (const [topic, seq] of acknowledged) if (hasLost(topics.get(topic), seq)) return true
    return batch.some(({ topic, last = 0 }) => hasLost(topics.get(topic), last))
  }

  // The log has begun a new life. Every topic starts over where that began; streams are told.
  #beginAnew({ epoch, base }: LogState): void {
    this.#end(this.#epoch)
    this.#past.delete(epoch)
    this.#epoch = epoch
    this.#base = base
    this.#seq = base
    for (const mirror of this.#mirrors.values()) mirror.begin(base, true)
    this.#parts.listener.gap([...this.#mirrors.keys()], 'epoch')
  }

  // Events of an epoch that is over come from another log on the same channels, or this one was restored from a copy.
  #doubt(): void {
    this.#stopDoubting ??= this.#parts.clock.after(DOUBT, () => {
      this.#stopDoubting = undefined
      this.#look().then(
        ({ epoch }) => {
          if (epoch !== this.#epoch) this.resync()
        },
        // The next event is doubted again.
        () => undefined,
      )
    })
  }

  #end(epoch: string): void {
    this.#past.add(epoch)
    for (const oldest of this.#past) {
      if (this.#past.size <= PAST) break
      this.#past.delete(oldest)
    }
  }

  // What has been kept aside by now will be in the answer to the next question. Its epochs are over if that says another.
  #epochsHeld(batch: readonly Mirror[]): Set<string> {
    return new Set(batch.flatMap(({ held }) => held?.splice(0).map(({ epoch }) => epoch) ?? []))
  }

  async #loadOnce(mirror: Mirror): Promise<void> {
    mirror.loading ??= this.#loadHistory(mirror).finally(() => {
      mirror.loading = undefined
    })
    await mirror.loading
  }

  async #loadHistory(mirror: Mirror): Promise<void> {
    const { state, topics } = await this.#parts.log.read(new Map([[mirror.topic, { after: 0 }]]))
    if (state.epoch === this.#epoch) mirror.load(topics[0]?.events ?? [])
  }

  // A client that comes from another instance may have seen what has not arrived here, or another life of the log.
  #isAhead(since: number, epoch = this.#epoch): boolean {
    if (epoch !== this.#epoch) return !this.#past.has(epoch)
    return since !== Infinity && since > this.#seq
  }

  async #catchUp(topics: readonly string[]): Promise<void> {
    this.#looking ??= this.#look()
    const state = await this.#looking
    if (state.epoch !== this.#epoch) this.resync()
    await Promise.all(topics.flatMap(topic => this.#mirrors.get(topic)?.live ?? []))
    if (state.epoch === this.#epoch) this.#seq = Math.max(this.#seq, state.seq)
  }

  // Those who ask in this turn share one look, but nobody one that was begun before: it may see too little.
  async #look(): Promise<LogState> {
    await Promise.resolve()
    this.#looking = undefined
    const { state } = await this.#parts.log.read(new Map())
    await this.#parts.link.fence()
    return state
  }

  #sweep(): void {
    const now = this.#parts.clock.now()
    const idle = [...this.#mirrors.values()].filter(
      ({ idleSince }) => idleSince !== undefined && now - idleSince >= LINGER,
    )
    for (const mirror of idle) {
      this.#mirrors.delete(mirror.topic)
      this.#unsynced.delete(mirror)
    }
    this.#parts.link.unsubscribe(idle.map(({ topic }) => this.#parts.names.channel(topic)))
  }

  #setReady(ready: boolean, error?: unknown): void {
    if (ready === this.#ready) return
    this.#ready = ready
    this.#parts.listener.readiness(ready, error)
  }

  async #inTime(work: Promise<void>): Promise<void> {
    const { clock, timeout } = this.#parts
    await within(clock, timeout, work, () => new EventStreamError('ERR_BROKER', 'Redis did not confirm in time'))
  }
}

/** What the log answered, and what was known when it was asked. */
interface Answer {
  readonly state: LogState
  readonly topics: ReadonlyMap<string, TopicState>
  readonly acknowledged: ReadonlyMap<string, number>
}

/** Whether all that came since the log was asked is of the life that it told of. */
function isOfEpoch(batch: readonly Mirror[], epoch: string): boolean {
  return batch.every(({ held }) => held?.every(event => event.epoch === epoch) ?? true)
}

/** Whether events after the last one that was handed on are in no history any more. The mirror begins anew then. */
function isLost(mirror: Mirror, { last, events }: TopicState): boolean {
  const before = events[0]?.previous ?? last
  if (mirror.last === undefined) {
    mirror.begin(last)
    return false
  }
  if (before <= mirror.last) return false
  mirror.begin(before, true)
  return true
}

/**
 * Events that follow the last one that was handed on: from history, then those that came meanwhile, each of which must
 * follow the one before it.
 */
function missedBy(mirror: Mirror, { last, events }: TopicState): LoggedEvent[] {
  const missed = events.filter(({ seq }) => seq > (mirror.last ?? last))
  let end = last
  for (const event of mirror.held ?? []) {
    if (event.previous !== end) continue
    missed.push(event)
    end = event.seq
  }
  return missed
}
