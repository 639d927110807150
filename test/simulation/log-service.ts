import type { Appended, Outgoing } from '../../lib/broker/replica/log-engine.ts'
import type { HistoryLimits } from '../../lib/broker/history-policy.ts'
import { MemoryLeases } from '../../lib/broker/memory/leases.ts'
import { MemoryRoster } from '../../lib/broker/memory/roster.ts'
import { MemoryStore } from '../../lib/broker/memory/store.ts'
import type { Position } from '../../lib/wire/cursor.ts'
import { isPresenceTopic } from '../../lib/topic.ts'
import { decodeFrame } from '../../lib/wire/frame.ts'
import type { Random } from '../support/random.ts'
import type { Ledger } from './ledger.ts'
import { LogServer, type Entry } from './log-server.ts'
import { SimulatedProcess } from './simulated-process.ts'
import { RunLedger } from './run-ledger.ts'
import type { VirtualTime } from './virtual-time.ts'

/** What takes note of what the log does. */
export type LogWitness = Pick<Ledger, 'appended' | 'began' | 'evicted' | 'failedOver' | 'flushed'>

export interface LogServiceOptions {
  /** What its servers are. Default: `LogServer`. */
  readonly Server?: typeof LogServer
  /** How much of a topic is kept. Default: as in the simulation. */
  readonly limitsOf?: (topic: string) => HistoryLimits
}

/** The remote log as a service: a server that takes events, and one that follows it and takes its place when it fails. */
export class LogService {
  /** Milliseconds by which the follower is behind. */
  lag = 1
  /** Until when the follower gets nothing. */
  lagUntil = 0
  /** Until when no connection can be made. */
  downUntil = 0
  readonly store: MemoryStore
  readonly leases: MemoryLeases
  readonly roster: MemoryRoster
  readonly runs = new RunLedger()
  /** What was told last of who is present. */
  lastState = ''
  readonly #time: VirtualTime
  readonly #ledger: LogWitness
  #primary: LogServer
  #follower: LogServer
  #life = 0
  #lastArrival = 0

  constructor(time: VirtualTime, random: Random, ledger: LogWitness, options: LogServiceOptions = {}) {
    const { Server = LogServer, limitsOf } = options
    this.#time = time
    this.#ledger = ledger
    let epochs = 0
    const newEpoch = (): string => `e${(epochs += 1)}r${random.between(0, 46_656).toString(36)}`
    const open = (name: string): LogServer =>
      new Server(name, time, Math.floor(random.next() * 1e6) / 1e3 - 500, newEpoch, limitsOf)
    this.#primary = open('s1')
    this.#primary.isPrimary = true
    this.#follower = open('s2')
    this.#follower.copy(this.#primary)
    const clock = new SimulatedProcess('store', time, random)
    this.store = new MemoryStore(clock)
    this.leases = new MemoryLeases(clock)
    this.roster = new MemoryRoster(clock)
  }

  get primary(): LogServer {
    return this.#primary
  }

  get follower(): LogServer {
    return this.#follower
  }

  append(server: LogServer, events: readonly Outgoing[]): readonly (Appended | Error)[] {
    this.#requirePrimary(server)
    const taken: Entry[] = []
    const answers = events.map(outgoing => {
      const first = outgoing.key === undefined ? undefined : server.firstOf(outgoing.key, outgoing.topics)
      if (first !== undefined) return first
      if (server.isFull) return new Error('no memory is left')
      const previous = server.predecessors(outgoing.topics)
      const entry = server.take(outgoing)
      if (outgoing.topics.some(isPresenceTopic)) this.lastState = decodeFrame(outgoing.body).data
      else if (!this.runs.appended(outgoing.topics, { epoch: server.epoch, seq: entry.seq }, outgoing.body))
        this.#ledger.appended(server.epoch, entry, outgoing.body)
      taken.push(entry)
      return server.placeOf(entry, previous)
    })
    if (taken.length > 0) {
      this.#follow(follower => {
        for (const entry of taken) follower.apply(entry)
      })
    }
    return answers
  }

  announce(server: LogServer, text: string): void {
    this.#requirePrimary(server)
    server.announce(text)
    this.#follow(follower => {
      follower.announce(text)
    })
  }

  renew(server: LogServer, lost: Position): void {
    this.#requirePrimary(server)
    if (server.state.epoch !== lost.epoch) return
    server.renew(lost)
    const { epoch, seq } = server.state
    this.#ledger.began(epoch)
    this.runs.began()
    this.#follow(follower => {
      follower.begin(epoch, seq)
      follower.tell({ kind: 'renewed' })
    })
  }

  /** The follower takes over with what it has. */
  failOver(): void {
    this.#life += 1
    const [old, next] = [this.#primary, this.#follower]
    this.#primary = next
    this.#follower = old
    this.#lastArrival = 0
    old.isPrimary = false
    next.isPrimary = true
    next.isFull = false
    // Nobody knows of announcements that it had not got.
    next.life = `${next.life}f${this.#life}`
    this.#ledger.failedOver(next.state)
    this.runs.failedOver(next.state)
    old.copy(next)
  }

  flush(): void {
    this.#life += 1
    this.#primary.flush()
    this.roster.clear()
    this.#ledger.flushed()
    this.runs.began()
    this.#ledger.began(this.#primary.state.epoch)
    this.#follower.copy(this.#primary)
  }

  evict(topic: string, isWhole: boolean): void {
    this.#primary.evict(topic, isWhole)
    this.#follower.evict(topic, isWhole)
    this.#ledger.evicted(this.#primary.state.epoch, topic, isWhole)
  }

  // In their order, and not after a fail-over or a flush.
  #follow(task: (follower: LogServer) => void): void {
    const life = this.#life
    const arrival = Math.max(this.#time.now + this.lag, this.lagUntil, this.#lastArrival)
    this.#lastArrival = arrival
    this.#time.after(arrival - this.#time.now, () => {
      if (life === this.#life) task(this.#follower)
    })
  }

  #requirePrimary(server: LogServer): void {
    if (!server.isPrimary) throw new Error('this server takes nothing: it follows another one')
  }
}
