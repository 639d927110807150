import type { Buffer } from 'node:buffer'
import type { Clock } from '../../clock.ts'
import { within } from '../../deadline.ts'
import { EventStreamError } from '../../errors.ts'
import type { Position } from '../../wire/cursor.ts'
import type { BrokerListener } from '../broker.ts'
import type { Slice } from '../event-log.ts'
import type { HistoryLimits } from '../history.ts'
import { ask, isBehind, isOfEpoch, missing, type Answer } from './catch-up.ts'
import type { LogNames } from '../redis/keys.ts'
import type { Link } from '../redis/link.ts'
import type { Log, LogState } from '../redis/log.ts'
import { readMessage, type LoggedEvent } from '../redis/message.ts'
import type { Mirror } from './mirror.ts'
import { LINGER, Mirrors } from './mirrors.ts'
import { PastEpochs } from './past-epochs.ts'

// How long events of an epoch that is over may come before the log is looked at, in milliseconds.
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
  readonly #mirrors: Mirrors
  // Mirrors that are held, and of which it has not been asked yet what they miss.
  readonly #unsynced = new Set<Mirror>()
  readonly #stopSweeping: () => void
  #epoch = ''
  #seq = 0
  #base = 0
  // What is to be added to our monotonic clock for the time of Redis, by which events age, in milliseconds.
  #ahead = 0
  #connected = false
  // From the moment in which anything may be missing until all topics have been put in order.
  #holding = true
  // Counts these moments: an answer to a question from before one of them is of no use any more.
  #generation = 0
  #working = false
  readonly #past = new PastEpochs()
  // A look into the log that is under way, and the next one, which all share who have asked since that was begun.
  #looking: Promise<LogState> | undefined
  #nextLook: Promise<LogState> | undefined
  #stopDoubting: (() => void) | undefined
  // Unknown until the first attempt has succeeded or failed.
  #ready: boolean | undefined

  constructor(parts: ReplicaParts) {
    this.#parts = parts
    this.#mirrors = new Mirrors(parts.limits)
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
    if (mirror !== undefined) mirror.idleSince = this.#parts.clock.monotonic()
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

  /** Asks where the log stands. What was published up to there has been handed on, or is held. */
  async look(): Promise<Position> {
    const { epoch, seq } = await this.#inTime(this.#sharedLook())
    if (epoch !== this.#epoch) this.resync()
    else if (!this.#holding) this.#seq = Math.max(this.#seq, seq)
    return { epoch, seq }
  }

  /** Resolves when this instance has handed an event on that it has published, or holds it. Does not wait for ever. */
  async handedOn(topics: readonly string[], seq: number): Promise<void> {
    const waits = topics.flatMap(topic => this.#mirrors.get(topic)?.handedOn(seq) ?? [])
    // It is in history all the same: whoever listens here is told by the connection's own means.
    if (waits.length > 0) await this.#inTime(Promise.all(waits)).catch(() => undefined)
  }

  read(topic: string, after: number, limit: number): Slice {
    return this.#mirrors.read(topic, Math.max(after, this.#base), limit, this.#now)
  }

  startOfLast(topic: string, count: number): number {
    return this.#mirrors.startOfLast(topic, count, this.#now) ?? this.#seq
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
    for (const mirror of this.#mirrors) mirror.fail(error)
  }

  /** What Redis' clock says, by which events age. */
  get #now(): number {
    return this.#parts.clock.monotonic() + this.#ahead
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
    mirror.passed(event.seq)
  }

  #addMirror(topic: string): Mirror {
    const mirror = this.#mirrors.add(topic)
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
    for (const mirror of this.#mirrors) {
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
        const acknowledged = this.#holding ? this.#parts.log.acknowledged.of(this.#epoch) : new Map<string, number>()
        const answer = await ask(this.#parts.log, batch, acknowledged)
        // Redis was asked on another connection: what it handed out before it answered must have arrived.
        await link.fence()
        for (const epoch of epochs) if (epoch !== answer.state.epoch) this.#past.add(epoch)
        if (generation === this.#generation) await this.#join(batch, answer)
      } catch (error) {
        for (const mirror of batch) this.#unsynced.add(mirror)
        // It failed with the connection that it was begun on; there is another one now.
        if (generation === this.#generation || !this.#connected) throw error
      }
    } while (this.#unsynced.size > 0 || this.#holding)
  }

  async #join(batch: readonly Mirror[], answer: Answer): Promise<void> {
    const { state } = answer
    const isNew = this.#epoch !== '' && state.epoch !== this.#epoch
    if (isNew && this.#holding) this.#beginAnew(state)
    else if (!isNew && this.#holding && isBehind(batch, answer, this.#seq)) {
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
    this.#ahead = state.now - this.#parts.clock.monotonic()
    const { lost, missed } = missing(batch, answer)
    if (lost.length > 0) this.#parts.listener.gap(lost, 'trimmed')
    for (const [mirror, event] of missed) this.#handOn(mirror, event)
    this.#seq = Math.max(this.#seq, state.seq)
    this.#holding = false
    for (const mirror of batch) mirror.release()
  }

  // The log has begun a new life. Every topic starts over where that began; streams are told.
  #beginAnew({ epoch, base }: LogState): void {
    this.#past.add(this.#epoch)
    this.#past.delete(epoch)
    this.#epoch = epoch
    this.#base = base
    this.#seq = base
    for (const mirror of this.#mirrors) mirror.begin(base, true)
    this.#parts.listener.gap(this.#mirrors.topics, 'epoch')
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
    const { epoch, seq } = await this.look()
    await Promise.all(topics.flatMap(topic => this.#mirrors.get(topic)?.live ?? []))
    if (epoch === this.#epoch) this.#seq = Math.max(this.#seq, seq)
  }

  // A look that was begun before somebody asks may see too little for him.
  #sharedLook(): Promise<LogState> {
    if (this.#looking === undefined) return this.#beginLook()
    this.#nextLook ??= this.#looking.then(
      () => this.#beginLook(),
      () => this.#beginLook(),
    )
    return this.#nextLook
  }

  #beginLook(): Promise<LogState> {
    this.#nextLook = undefined
    this.#looking = this.#look().finally(() => {
      this.#looking = undefined
    })
    return this.#looking
  }

  async #look(): Promise<LogState> {
    const { state } = await this.#parts.log.read(new Map())
    await this.#parts.link.fence()
    return state
  }

  #sweep(): void {
    const idle = this.#mirrors.sweep(this.#parts.clock.monotonic())
    for (const mirror of idle) this.#unsynced.delete(mirror)
    this.#parts.link.unsubscribe(idle.map(({ topic }) => this.#parts.names.channel(topic)))
  }

  #setReady(ready: boolean, error?: unknown): void {
    if (ready === this.#ready) return
    this.#ready = ready
    this.#parts.listener.readiness(ready, error)
  }

  async #inTime<T>(work: Promise<T>): Promise<T> {
    const { clock, timeout } = this.#parts
    return within(clock, timeout, work, () => new EventStreamError('ERR_BROKER', 'Redis did not confirm in time'))
  }
}
