import type { Broker, BrokerListener, ControlMessage } from '../../lib/broker/broker.ts'
import type { Slice } from '../../lib/broker/event-log.ts'
import type { KeyValueStore } from '../../lib/broker/key-value-store.ts'
import type { Lease, LeaseStore } from '../../lib/broker/lease-store.ts'
import type { Roster } from '../../lib/broker/roster.ts'
import { HistoryPolicy } from '../../lib/broker/history-policy.ts'
import { Replica } from '../../lib/broker/replica/replica.ts'
import { EventStreamError } from '../../lib/errors.ts'
import { formatPosition, type Position } from '../../lib/wire/cursor.ts'
import type { PublishNotes } from '../../lib/wire/publish-options.ts'
import { Commands } from './commands.ts'
import { COMMON, ownOf } from './kept.ts'
import type { LogService } from './log-service.ts'
import type { Line } from './network.ts'
import { RemoteControl } from './remote-control.ts'
import { RemoteEngine } from './remote-engine.ts'
import type { SimulatedProcess } from './simulated-process.ts'

export interface RemoteBrokerParts {
  readonly process: SimulatedProcess
  readonly service: LogService
  readonly line: Line
  readonly pageBytes?: number
  /** The history limits of the log. Default: those of the simulation. */
  readonly policy?: HistoryPolicy
  /** See `RemoteEngineParts`. */
  readonly memory?: number
}

/** Milliseconds that an answer may take, and a whole look. */
const TIMEOUT = 800
export const ANSWER_TIMEOUT = 2 * TIMEOUT
const WATCHDOG = 1_500
const MAX_PENDING = 1_000

/** The engine of an instance in the simulated world: the real replica on a simulated network. */
export class RemoteBroker implements Broker {
  readonly store: KeyValueStore
  readonly leases: LeaseStore
  readonly roster: Roster
  readonly #parts: RemoteBrokerParts
  readonly #commands: Commands
  readonly #control: RemoteControl
  readonly #engine: RemoteEngine
  #replica: Replica | undefined
  #listener: BrokerListener | undefined

  constructor(parts: RemoteBrokerParts) {
    const { process, service, line, pageBytes, memory } = parts
    this.#parts = parts
    const commands = new Commands(process, service, line, TIMEOUT)
    this.#commands = commands
    this.#control = new RemoteControl(commands, service, () => this.#listener)
    this.#engine = new RemoteEngine({
      process,
      service,
      line,
      commands,
      control: this.#control,
      timeout: TIMEOUT,
      watchdog: WATCHDOG,
      ...(pageBytes !== undefined && { pageBytes }),
      ...(memory !== undefined && { memory }),
    })
    this.store = storeOf(service, commands)
    this.leases = leasesOf(parts)
    this.roster = rosterOf(parts)
  }

  get ready(): boolean {
    return this.#replica?.ready ?? false
  }

  listen(listener: BrokerListener): void {
    const { process: clock, policy = new HistoryPolicy({ ...COMMON, of: ownOf }) } = this.#parts
    this.#listener = listener
    policy.failed = error => {
      listener.fault('history.of', error)
    }
    const parts = { engine: this.#engine, policy, clock, listener, timeout: ANSWER_TIMEOUT, maxPending: MAX_PENDING }
    this.#replica = new Replica(parts)
    this.#engine.start(this.#replica)
  }

  async publish(topics: readonly string[], body: Uint8Array, notes: PublishNotes = {}): Promise<string> {
    const { epoch, seq } = await this.#log.publish({ topics, body, ...notes })
    return formatPosition(epoch, seq)
  }

  subscribe(topic: string): void | Promise<void> {
    return this.#log.subscribe(topic)
  }

  unsubscribe(topic: string): void {
    this.#log.unsubscribe(topic)
  }

  load(topics: readonly string[], since: number, epoch?: string): Promise<void> {
    return this.#log.load(topics, since, epoch)
  }

  position(): Position {
    return this.#log.position
  }

  look(): Promise<Position> {
    return this.#log.look()
  }

  read(topic: string, after: number, limit: number): Slice {
    return this.#log.read(topic, after, limit)
  }

  startOfLast(topic: string, count: number): number {
    return this.#log.startOfLast(topic, count)
  }

  lose(): Promise<void> {
    return this.#log.lose()
  }

  announce(message: ControlMessage): Promise<void> {
    return this.#control.announce(message)
  }

  async close(): Promise<void> {
    this.#listener = undefined
    this.#replica?.close()
    this.#engine.close()
    this.#commands.close()
  }

  get #log(): Replica {
    if (this.#replica === undefined) throw new TypeError('nobody listens yet')
    return this.#replica
  }
}

function storeOf({ store }: LogService, commands: Commands): KeyValueStore {
  const ask = async <T>(work: () => Promise<T>): Promise<T> => {
    const { answer } = await commands.call('store', () => ({ answer: work() }))
    return answer
  }
  return {
    set: (key, value, ttl) => ask(() => store.set(key, value, ttl)),
    get: key => ask(() => store.get(key)),
    take: key => ask(() => store.take(key)),
  }
}

function rosterOf({ service: { roster }, process, line }: RemoteBrokerParts): Roster {
  const ask = async <T>(work: () => Promise<T>): Promise<T> => {
    if (line.cutUntil > process.age) throw new EventStreamError('ERR_BROKER', 'roster: there is no connection')
    return work()
  }
  return {
    beat: (instance, ttl) => ask(() => roster.beat(instance, ttl)),
    instances: () => ask(() => roster.instances()),
    retire: instance => ask(() => roster.retire(instance)),
    change: (instance, number, changes) => ask(() => roster.change(instance, number, changes)),
    entries: instance => ask(() => roster.entries(instance)),
    present: (topic, most) => ask(() => roster.present(topic, most)),
    told: (topic, version) => ask(() => roster.told(topic, version)),
    chores: untoldFor => ask(() => roster.chores(untoldFor)),
    bury: instance => ask(() => roster.bury(instance)),
  }
}

// They are no affair of the log, and many: only that they cannot always be had matters.
function leasesOf({ service: { leases }, process, line }: RemoteBrokerParts): LeaseStore {
  const ask = async <T>(work: () => Promise<T>): Promise<T> => {
    if (line.cutUntil > process.age) throw new EventStreamError('ERR_BROKER', 'leases: there is no connection')
    return work()
  }
  return {
    lease: (lease: Lease, ttl, most) => ask(() => leases.lease(lease, ttl, most)),
    supersede: (lease, ttl, most) => ask(() => leases.supersede(lease, ttl, most)),
    taken: key => ask(() => leases.taken(key)),
    renew: (all, ttl) => ask(() => leases.renew(all, ttl)),
    release: all => ask(() => leases.release(all)),
  }
}
