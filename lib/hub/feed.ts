import { Buffer } from 'node:buffer'
import type { Broker, StoredEvent } from '../broker/broker.ts'
import type { Identity } from '../auth/identity.ts'
import type { Clock } from '../clock.ts'
import type { EventStream } from '../stream/event-stream.ts'
import { formatPosition, type Cursor, type Position } from '../wire/cursor.ts'
import type { EventMap } from '../wire/event.ts'
import { encodeComment, encodeCursor, encodeGap, type Gap, type GapReason } from '../wire/frame.ts'
import { conflate, type ConflationKey } from './conflation.ts'
import type { Batch } from './fan-out.ts'
import type { StreamInfo } from './lifecycle.ts'
import type { Member, Registry } from './registry.ts'
import { firstPage, Replay } from './replay.ts'
import type { OverflowPolicy, StreamPolicy } from './stream-policy.ts'

// A comment, which says nothing to the client.
const MARK = encodeComment('')

/** What a feed needs of the hub. */
export interface FeedHub {
  readonly broker: Broker
  readonly registry: Registry
  readonly clock: Clock
  told(stream: StreamInfo, gap: Gap): void
}

/**
 * - `waiting`: it has not been started
 * - `joining`: the broker is being asked for the topics
 * - `replaying`: history is sent at the reader's pace; live events wait in history
 * - `live`: events are sent as they come
 * - `behind`: more came than may be buffered; history has it
 * - `lagging`: nothing is sent until the client has read what waits
 * - `stopped`: the stream is closing
 */
type State = 'waiting' | 'joining' | 'replaying' | 'live' | 'behind' | 'lagging' | 'stopped'

/** What a stream gets of the log: its topics, its place, and what is due to it. */
export class Feed implements Member {
  readonly bufferBytes: number
  due: Batch | undefined

  readonly #hub: FeedHub
  readonly #stream: EventStream<EventMap, Identity | undefined>
  readonly #overflow: OverflowPolicy
  #topics: string[] = []
  #state: State = 'waiting'
  // The last place in the log that the client has been brought to.
  #seq = -1
  // The last id that the stream has sent: the next one must be greater.
  #sentSeq = -1
  #replay: Replay | undefined
  // What is left to be sent of what was conflated.
  #latest: readonly StoredEvent[] = []
  // Settles when the broker has answered; topics that are added meanwhile wait for it.
  #joining: Promise<void> | undefined

  constructor(hub: FeedHub, stream: EventStream<EventMap, Identity | undefined>, policy: StreamPolicy) {
    this.#hub = hub
    this.#stream = stream
    this.#overflow = policy.overflow
    this.bufferBytes = policy.bufferBytes
  }

  get topics(): readonly string[] {
    return this.#topics
  }

  /**
   * Brings the stream to where it is live: history that the client has missed, then its cursor.
   *
   * @param wishes topics, each with the number of its latest events for a newcomer
   * @throws what the broker throws
   */
  async start(wishes: ReadonlyMap<string, number>, cursor: Cursor): Promise<void> {
    if (this.#isStopped) return
    this.#topics = [...wishes.keys()]
    if (this.#topics.length === 0) {
      this.#state = 'live'
      return
    }
    this.#state = 'joining'
    this.#joining = this.#join(wishes, cursor)
    await this.#joining
    this.#joining = undefined
  }

  /**
   * Adds topics that it does not have. Of a feed that has not been started they are only noted.
   *
   * @returns once they are live
   * @throws what the broker throws
   */
  async add(topics: readonly string[]): Promise<void> {
    const added = topics.filter(topic => !this.#topics.includes(topic))
    this.#topics.push(...added)
    if (this.#state === 'waiting') return
    const isFirst = this.#topics.length === added.length
    const { registry } = this.#hub
    try {
      await this.#joining
      await registry.join(this, this.#wanted(added))
      // Some may have been asked for a moment ago, and not be live yet either.
      await registry.confirmed(topics)
    } catch (error) {
      this.remove(added)
      throw error
    }
    if (this.#isStopped) registry.leave(this, added)
    else this.#include(this.#wanted(added), isFirst)
  }

  remove(topics: readonly string[]): void {
    const removed = topics.filter(topic => this.#topics.includes(topic))
    this.#topics = this.#topics.filter(topic => !removed.includes(topic))
    for (const topic of removed) this.#replay?.delete(topic)
    if (this.#state !== 'waiting') this.#hub.registry.leave(this, removed)
  }

  stop(): void {
    if (this.#state !== 'waiting') this.#hub.registry.leave(this, this.#topics)
    this.due = undefined
    this.#replay = undefined
    this.#latest = []
    this.#state = 'stopped'
  }

  awaits(seq: number): boolean {
    return this.#state === 'live' && seq > (this.due?.event.seq ?? this.#seq)
  }

  fallBehind(): void {
    this.due = undefined
    this.#state = 'behind'
  }

  flush(now = this.#hub.clock.now()): void {
    const { due } = this
    this.due = undefined
    if (this.#state === 'behind') this.#overtake()
    else if (due === undefined || this.#state !== 'live') return
    else if (this.#stream.deliver(due.chunk, now)) this.#moveTo(due.event.seq)
    else {
      this.#state = 'behind'
      this.#overtake()
    }
  }

  tell(topics: readonly string[], reason: GapReason): void {
    this.flush()
    if (reason === 'epoch') this.#beginAnew(topics)
    // A feed that is joining or replaying finds in history what is missing.
    else if (this.#state === 'live') this.#sendGap({ topics, reason })
  }

  // More in one tick than may be buffered is no reason to treat a client as slow that has read all before it.
  #overtake(): void {
    if (this.#stream.bufferedBytes === 0) this.#replayFrom(new Map(this.#topics.map(topic => [topic, 0])))
    else if (this.#overflow.kind === 'disconnect') this.#stream.abandon('slow')
    else {
      this.#state = 'lagging'
      // Called back when the client has read everything before it.
      this.#stream.write(MARK, () => {
        this.#goOn()
      })
    }
  }

  #goOn(): void {
    if (this.#state !== 'lagging') return
    if (this.#overflow.kind === 'conflate') this.#sendLatest(this.#overflow.key)
    else this.#skip()
  }

  #skip(): void {
    const { broker } = this.#hub
    const missed = this.#topics.filter(topic => {
      const { events, trimmed } = broker.read(topic, this.#seq, 1)
      return events.length > 0 || trimmed
    })
    this.#state = 'live'
    if (missed.length === 0) return
    this.#sendGap({ topics: missed, reason: 'overflow' })
    this.#stream.offer(this.#cursorAt(broker.position()))
  }

  // Sends the latest of each key at the client's pace, then what has come meanwhile in the same way, until nothing has.
  #sendLatest(key: ConflationKey): void {
    const isNew = this.#latest.length === 0
    if (isNew) {
      const { events, trimmed } = conflate(this.#hub.broker, this.#topics, this.#seq, key)
      if (trimmed.length > 0) this.#sendGap({ topics: trimmed, reason: 'trimmed' })
      this.#latest = events
    }
    const { events: page } = firstPage(this.#latest)
    this.#latest = this.#latest.slice(page.length)
    const last = page.at(-1)
    if (isNew && this.#latest.length === 0) this.#state = 'live'
    if (last === undefined) return
    this.#moveTo(last.seq)
    this.#stream.write(Buffer.concat(page.map(({ frame }) => frame)), () => {
      this.#goOn()
    })
  }

  get #isStopped(): boolean {
    return this.#state === 'stopped'
  }

  // Of these topics the ones that have not been taken away while the broker was asked.
  #wanted(topics: readonly string[]): string[] {
    return topics.filter(topic => this.#topics.includes(topic))
  }

  async #join(wishes: ReadonlyMap<string, number>, cursor: Cursor): Promise<void> {
    const { registry, broker } = this.#hub
    const topics = [...wishes.keys()]
    await registry.join(this, topics)
    try {
      await broker.load(topics, oldestOfInterest(cursor, wishes), typeof cursor === 'object' ? cursor.epoch : undefined)
    } catch (error) {
      registry.leave(this, topics)
      throw error
    }
    if (this.#isStopped) registry.leave(this, topics)
    else this.#catchUp(cursor, new Map(this.#wanted(topics).map(topic => [topic, wishes.get(topic) ?? 0])))
  }

  #catchUp(cursor: Cursor, wishes: ReadonlyMap<string, number>): void {
    const { broker } = this.#hub
    const position = broker.position()
    if (cursor === undefined) {
      this.#replayFrom(
        new Map([...wishes].map(([topic, n]) => [topic, n === 0 ? position.seq : broker.startOfLast(topic, n)])),
      )
      return
    }
    const topics = [...wishes.keys()]
    const lost = whyLost(cursor, position)
    if (lost !== undefined) this.#sendGap({ topics, reason: lost })
    else if (cursor !== 'unknown') this.#seq = cursor.seq
    const start = lost === undefined ? 0 : position.seq
    this.#replayFrom(new Map(topics.map(topic => [topic, start])))
  }

  #replayFrom(starts: ReadonlyMap<string, number>): void {
    this.#state = 'replaying'
    this.#replay = new Replay(this.#hub.broker, starts)
    this.#turnPage()
  }

  // Sends a page of history, and the next one when the client has taken it. With the last page the feed goes live, in
  // the same turn, so that no event falls in between.
  #turnPage(): void {
    if (this.#replay === undefined) return
    const page = this.#replay.next(this.#seq)
    if (page.trimmed.length > 0) this.#sendGap({ topics: page.trimmed, reason: 'trimmed' })
    const last = page.events.at(-1)
    if (last !== undefined) this.#moveTo(last.seq)
    const frames = page.events.map(event => event.frame)
    if (!page.more) {
      frames.push(this.#arrive())
      this.#replay = undefined
      this.#state = 'live'
    }
    this.#stream.write(Buffer.concat(frames), () => {
      this.#turnPage()
    })
  }

  // The cursor goes out where the replay ends; where the client has that id already it needs no other.
  #arrive(): Buffer {
    const position = this.#hub.broker.position()
    if (position.seq <= this.#sentSeq) return encodeCursor(undefined)
    return this.#cursorAt(position)
  }

  #cursorAt({ epoch, seq }: Position): Buffer {
    this.#moveTo(seq)
    return encodeCursor(formatPosition(epoch, seq))
  }

  #moveTo(seq: number): void {
    this.#seq = seq
    this.#sentSeq = seq
  }

  // The ids of the new life of the log have nothing to do with those before.
  #beginAnew(topics: readonly string[]): void {
    // A feed that is only just joining compares its cursor with the new life.
    if (this.#state !== 'live' && this.#state !== 'replaying' && this.#state !== 'lagging') return
    this.#replay = undefined
    this.#latest = []
    this.#state = 'live'
    this.#sendGap({ topics, reason: 'epoch' })
    this.#stream.offer(this.#cursorAt(this.#hub.broker.position()))
  }

  #sendGap(gap: Gap): void {
    this.#stream.write(encodeGap(gap))
    this.#hub.told(this.#stream, gap)
  }

  #include(topics: readonly string[], isFirst: boolean): void {
    this.flush()
    const position = this.#hub.broker.position()
    if (this.#replay !== undefined) {
      for (const topic of topics) this.#replay.add(topic, position.seq)
      return
    }
    // What a lagging feed has missed begins where it is.
    if (position.seq <= this.#seq || this.#state !== 'live') return
    if (isFirst) this.#stream.offer(this.#cursorAt(position))
    else this.#seq = position.seq
  }
}

/** Why a client cannot go on from its cursor, if it cannot. */
function whyLost(cursor: Exclude<Cursor, undefined>, position: Position): GapReason | undefined {
  if (cursor === 'unknown') return 'unknown'
  if (cursor.epoch !== position.epoch) return 'epoch'
  return cursor.seq > position.seq ? 'unknown' : undefined
}

function oldestOfInterest(cursor: Cursor, wishes: ReadonlyMap<string, number>): number {
  if (typeof cursor === 'object') return cursor.seq
  return cursor === undefined && [...wishes.values()].some(replay => replay > 0) ? 0 : Infinity
}
