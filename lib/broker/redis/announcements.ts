import { Buffer } from 'node:buffer'
import type { Cluster, Redis } from 'ioredis'
import type { Commands } from './commands.ts'
import type { LogNames } from './keys.ts'
import type { PublishCommand } from './log.ts'
import { ANNOUNCE } from './scripts.ts'

// How many announcements are remembered, and for how many milliseconds after the last one.
const KEPT = 10_000
const KEPT_FOR = 3_600_000

const WITH_ID = /^(\d+-\d+) /
// Two numbers of 20 digits each.
const LONGEST_ID = 42

interface AnnouncingClient {
  announceMessage(key: string, ...args: (string | number)[]): Promise<unknown>
}

/**
 * What instances tell each other whatever their topics. It is handed out at once, and remembered for a while, so that an
 * instance that was cut off hears of a log-out when it is back. Where Redis has no memory left to remember it in, it is
 * handed out all the same.
 */
export class Announcements {
  readonly #commands: Commands
  readonly #client: Redis | Cluster
  readonly #names: LogNames
  readonly #command: PublishCommand
  readonly #deliver: (message: Buffer) => void
  // The id of the last one that was heard, or of the last one before this instance began to listen.
  #last: string | undefined
  // By their ids, those that come while it is not known what was missed before them.
  #held: Map<string, Buffer> | undefined = new Map()

  constructor(commands: Commands, names: LogNames, command: PublishCommand, deliver: (message: Buffer) => void) {
    this.#commands = commands
    this.#client = commands.client
    this.#names = names
    this.#command = command
    this.#deliver = deliver
    this.#client.defineCommand('announceMessage', { lua: ANNOUNCE, numberOfKeys: 1 })
  }

  /** @throws {EventStreamError} `ERR_BROKER` */
  async announce(message: string): Promise<void> {
    const { announcements, control } = this.#names
    // ioredis adds the command as a method that its types cannot know of.
    const client = this.#client as unknown as AnnouncingClient
    await this.#commands.run('announce', () =>
      client.announceMessage(announcements, message, KEPT, KEPT_FOR, this.#command, control),
    )
  }

  /** What came on the control channel. */
  heard(payload: Buffer): void {
    const id = WITH_ID.exec(payload.toString('latin1', 0, LONGEST_ID))?.[1]
    if (id === undefined) {
      this.#deliver(payload)
      return
    }
    const message = payload.subarray(id.length + 1)
    if (this.#held === undefined) this.#handOn(id, message)
    else this.#held.set(id, message)
  }

  /** Keeps aside what comes, until `catchUp`: something may be missing. */
  hold(): void {
    this.#held = new Map()
  }

  /**
   * Fetches what was missed since the last one that was heard, and lets come what comes.
   *
   * @throws {EventStreamError} `ERR_BROKER`
   */
  async catchUp(): Promise<void> {
    const held = this.#held
    const { announcements } = this.#names
    const last = this.#last
    const missed = await this.#commands.ask('announcements', () =>
      last === undefined
        ? this.#client.xrevrange(announcements, '+', '-', 'COUNT', 1)
        : this.#client.xrange(announcements, `(${last}`, '+'),
    )
    // What is there now was there before this instance began to listen, but for what is held.
    this.#last ??= missed[0]?.[0] ?? '0-0'
    // The connection was lost once more, or there is nothing to wait for.
    if (held === undefined || held !== this.#held) return
    this.#held = undefined
    const all = last === undefined ? [] : missed.map(([id, [, message = '']]) => [id, Buffer.from(message)] as const)
    for (const [id, message] of new Map([...all, ...held])) this.#handOn(id, message)
  }

  #handOn(id: string, message: Buffer): void {
    this.#last = id
    this.#deliver(message)
  }
}
