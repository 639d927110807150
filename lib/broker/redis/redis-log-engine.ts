import type { Buffer } from 'node:buffer'
import { EventStreamError } from '../../errors.ts'
import type { Position } from '../../wire/cursor.ts'
import type { Appended, LogEngine, LogListener, LogPage, Outgoing, Page, Wish } from '../replica/log-engine.ts'
import type { LogNames } from './keys.ts'
import type { Log } from './log.ts'
import { readMessage } from './message.ts'
import { SHORTEST_MEMORY } from './scripts.ts'
import type { Session, SessionMember } from './session.ts'

/** The log in Redis, as the engine of a replica. */
export class RedisLogEngine implements LogEngine, SessionMember {
  readonly memory = SHORTEST_MEMORY
  readonly channels: string

  readonly #log: Log
  readonly #session: Session
  readonly #names: LogNames
  #listener: LogListener | undefined

  constructor(log: Log, session: Session, names: LogNames) {
    this.#log = log
    this.#session = session
    this.#names = names
    this.channels = names.channel('')
  }

  start(listener: LogListener): void {
    this.#listener = listener
    this.#session.commands.onLost(() => {
      this.#listener?.interrupted()
    })
  }

  async append(events: readonly Outgoing[]): Promise<readonly (Appended | Error)[]> {
    try {
      const answers = await this.#log.append(events)
      for (const answer of answers) if (answer instanceof Error) this.#session.refused(answer)
      return answers
    } catch (error) {
      this.#session.refused(error)
      throw error
    }
  }

  async read(wishes: readonly Wish[], page?: Page): Promise<LogPage> {
    // The log's state is small, and many wait for it.
    if (wishes.length === 0) return this.#log.read(wishes)
    return this.#session.ask('read', client => this.#log.readOn(client, wishes, page))
  }

  async listen(topics: readonly string[]): Promise<void> {
    await this.#session.subscribe(topics.map(topic => this.#names.channel(topic)))
  }

  unlisten(topics: readonly string[]): void {
    this.#session.unsubscribe(topics.map(topic => this.#names.channel(topic)))
  }

  async fence(): Promise<void> {
    await this.#session.fence()
  }

  async renew(lost: Position): Promise<void> {
    await this.#log.renew(lost)
  }

  lose(error: unknown): void {
    this.#session.lose(error)
  }

  close(): void {
    this.#listener = undefined
  }

  // Called by the session.

  async up(): Promise<void> {
    await this.#listener?.up()
  }

  down(error: unknown): void {
    this.#listener?.down(error)
  }

  message(channel: string, payload: Buffer): void {
    const event = readMessage(payload)
    if (event !== undefined) this.#listener?.event(this.#names.topicOf(channel), event)
    else {
      const what = `a message on ${channel} is not an event of this log`
      this.#listener?.foreign(new EventStreamError('ERR_BROKER', what))
    }
  }

  renewed(): void {
    this.#listener?.renewed()
  }

  writable(isWritable: boolean, error?: unknown): void {
    this.#listener?.writable(isWritable, error)
  }

  readable(isReadable: boolean, error?: unknown): void {
    this.#listener?.readable(isReadable, error)
  }
}
