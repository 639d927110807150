import type { Buffer } from 'node:buffer'
import { EventStreamError } from '../../errors.ts'
import { formatPosition, type Position } from '../../wire/cursor.ts'
import type { PublishNotes } from '../../wire/publish-options.ts'
import type { Broker, BrokerListener, ControlMessage } from '../broker.ts'
import type { Slice } from '../event-log.ts'
import type { HistoryLimits } from '../history-policy.ts'
import { Replica } from '../replica/replica.ts'
import { Announcements } from './announcements.ts'
import { connectionsOf } from './connections.ts'
import { readControl } from './control.ts'
import { logNames } from './keys.ts'
import { RedisLeases } from './leases.ts'
import { Log } from './log.ts'
import type { CheckedRedisOptions } from './options.ts'
import { RedisLogEngine } from './redis-log-engine.ts'
import { RedisRoster } from './roster.ts'
import { Session } from './session.ts'
import { RedisStore } from './store.ts'

// These are many, and useful only to an instance waiting now: stored, they would evict messages that must not be missed.
const UNREMEMBERED: ReadonlySet<ControlMessage['type']> = new Set(['answer', 'survey', 'survey-answer'])

/** The engine for many processes: publishes to the log in Redis, and keeps a replica of the topics of its streams. */
export class RedisBroker implements Broker {
  readonly store: RedisStore
  readonly leases: RedisLeases
  readonly roster: RedisRoster

  readonly #options: CheckedRedisOptions
  readonly #session: Session
  readonly #engine: RedisLogEngine
  readonly #announcements: Announcements
  #replica: Replica | undefined
  #listener: BrokerListener | undefined

  constructor(options: CheckedRedisOptions) {
    const { client, name, policy, timeout, watchdog, maxPending, clock } = options
    this.#options = options
    const names = logNames(name)
    const connections = connectionsOf(client, names.log)
    const { command } = connections
    this.#session = new Session({
      connections,
      names,
      timeout,
      watchdog,
      maxPending,
      clock,
      tryWriting: () => log.tryWriting(),
      writable: (isWritable, error) => {
        this.#engine.writable(isWritable, error)
      },
      readable: (isReadable, error) => {
        this.#engine.readable(isReadable, error)
      },
    })
    const { commands } = this.#session
    const log = new Log(commands, names, policy, command)
    this.#engine = new RedisLogEngine(log, this.#session, names)
    this.#announcements = new Announcements({
      commands,
      names,
      command,
      clock,
      deliver: message => {
        this.#control(message)
      },
      missed: () => this.#listener?.controlMissed?.(),
    })
    this.store = new RedisStore(commands, names)
    this.leases = new RedisLeases(commands, names)
    this.roster = new RedisRoster(commands, names)
  }

  get ready(): boolean {
    return this.#replica?.ready ?? false
  }

  listen(listener: BrokerListener): void {
    const { policy, clock, timeout, maxPending } = this.#options
    this.#listener = listener
    policy.failed = error => {
      listener.fault('history.of', error)
    }
    this.#replica = new Replica({
      engine: this.#engine,
      policy,
      clock,
      listener,
      timeout: timeout * 2,
      maxPending,
    })
    this.#engine.start(this.#replica)
    // In this order: revocations during an outage take effect before events published since are delivered.
    this.#session.start([this.#announcements, this.#engine])
  }

  async publish(topics: readonly string[], body: Uint8Array, notes: PublishNotes = {}): Promise<string> {
    const { epoch, seq } = await this.#heard().publish({ topics, body, ...notes })
    return formatPosition(epoch, seq)
  }

  subscribe(topic: string): void | Promise<void> {
    return this.#heard().subscribe(topic)
  }

  unsubscribe(topic: string): void {
    this.#replica?.unsubscribe(topic)
  }

  async load(topics: readonly string[], since: number, epoch?: string): Promise<void> {
    await this.#heard().load(topics, since, epoch)
  }

  time(): number {
    return this.#heard().time
  }

  position(): Position {
    return this.#heard().position
  }

  async look(): Promise<Position> {
    return this.#heard().look()
  }

  read(topic: string, after: number, limit: number): Slice {
    return this.#heard().read(topic, after, limit)
  }

  startOfLast(topic: string, count: number): number {
    return this.#heard().startOfLast(topic, count)
  }

  limitsOf(topic: string): HistoryLimits {
    return this.#options.policy.limitsOf(topic)
  }

  async lose(): Promise<void> {
    await this.#heard().lose()
  }

  async announce(message: ControlMessage): Promise<void> {
    if (UNREMEMBERED.has(message.type)) await this.#announcements.mention(JSON.stringify(message))
    else await this.#announcements.announce(JSON.stringify(message))
  }

  async close(): Promise<void> {
    this.#replica?.close()
    this.#engine.close()
    this.#announcements.close()
    this.#session.close()
  }

  #control(payload: Buffer): void {
    const message = readControl(payload)
    if (message.type === 'renewed') this.#engine.renewed()
    else if (message.type === 'forgotten') this.#listener?.controlMissed?.()
    else if (message.type === 'junk') {
      const error = new EventStreamError('ERR_BROKER', 'a message on the control channel is not from this package')
      this.#listener?.fault('redis message', error)
    } else if (message.type !== 'newer') this.#listener?.control(message)
  }

  #heard(): Replica {
    if (this.#replica === undefined) throw new TypeError('a broker can be used only after it was passed to createHub()')
    return this.#replica
  }
}
