import type { Buffer } from 'node:buffer'
import { EventStreamError } from '../../errors.ts'
import { formatPosition, type Position } from '../../wire/cursor.ts'
import type { Broker, BrokerListener, ControlMessage } from '../broker.ts'
import type { Slice } from '../event-log.ts'
import { Announcements } from './announcements.ts'
import { Commands } from './commands.ts'
import { connectionsOf, type Connections } from './connections.ts'
import { readControl } from './control.ts'
import { logNames, type LogNames } from './keys.ts'
import { RedisLeases } from './leases.ts'
import { Link, type LinkOwner } from './link.ts'
import { Log } from './log.ts'
import type { CheckedRedisOptions } from './options.ts'
import { Replica } from '../replica/replica.ts'
import { RedisStore } from './store.ts'

/** The engine for many processes: publishes into the log in Redis, and keeps a replica of what its streams need. */
export class RedisBroker implements Broker, LinkOwner {
  readonly store: RedisStore
  readonly leases: RedisLeases

  readonly #options: CheckedRedisOptions
  readonly #names: LogNames
  readonly #connections: Connections
  readonly #commands: Commands
  readonly #log: Log
  readonly #link: Link
  readonly #announcements: Announcements
  #replica: Replica | undefined
  #listener: BrokerListener | undefined

  constructor(options: CheckedRedisOptions) {
    const { client, name, limits, timeout, watchdog, maxPending, clock } = options
    this.#options = options
    this.#names = logNames(name)
    this.#connections = connectionsOf(client, this.#names.log)
    this.#commands = new Commands(this.#connections.commands(timeout), timeout, maxPending, clock)
    this.#log = new Log(this.#commands, this.#names, limits, this.#connections.command)
    this.#link = new Link(this.#connections, this, { timeout, watchdog, channel: this.#names.control }, clock)
    this.#announcements = new Announcements(this.#commands, this.#names, this.#connections.command, message => {
      this.#control(message)
    })
    this.store = new RedisStore(this.#commands, this.#names)
    this.leases = new RedisLeases(this.#commands, this.#names)
  }

  get ready(): boolean {
    return this.#replica?.ready ?? false
  }

  listen(listener: BrokerListener): void {
    const { limits, clock, timeout } = this.#options
    this.#listener = listener
    this.#replica = new Replica({
      log: this.#log,
      link: this.#link,
      names: this.#names,
      limits,
      clock,
      listener,
      timeout: timeout * 2,
    })
    this.#link.start()
  }

  async publish(topics: readonly string[], body: Uint8Array): Promise<string> {
    const { epoch, seq } = await this.#log.publish(topics, body)
    await this.#replica?.handedOn(topics, seq)
    return formatPosition(epoch, seq)
  }

  subscribe(topic: string): void | Promise<void> {
    return this.#heard().want(topic)
  }

  unsubscribe(topic: string): void {
    this.#replica?.unwant(topic)
  }

  async load(topics: readonly string[], since: number, epoch?: string): Promise<void> {
    await this.#heard().load(topics, since, epoch)
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

  async announce(message: ControlMessage): Promise<void> {
    await this.#announcements.announce(JSON.stringify(message))
  }

  async close(): Promise<void> {
    this.#replica?.close()
    this.#link.close()
    this.#commands.close()
  }

  // What the link says.

  up(): void {
    this.#replica?.up()
    this.#announcements.catchUp().catch((error: unknown) => {
      this.#link.lose(error)
    })
  }

  down(error: unknown): void {
    this.#announcements.hold()
    this.#replica?.down(error)
  }

  message(channel: string, payload: Buffer): void {
    if (channel === this.#names.control) this.#announcements.heard(payload)
    else this.#replica?.message(channel, payload)
  }

  #control(payload: Buffer): void {
    const message = readControl(payload)
    if (message === undefined) {
      const error = new EventStreamError('ERR_BROKER', 'what came on the control channel is no message of ours')
      this.#listener?.fault('redis message', error)
    } else if (message.type === 'renewed') this.#replica?.resync()
    else this.#listener?.control(message)
  }

  #heard(): Replica {
    if (this.#replica === undefined) throw new TypeError('a broker is of use once createHub() has it')
    return this.#replica
  }
}
