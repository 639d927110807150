import { Buffer } from 'node:buffer'
import type { Cluster, Redis } from 'ioredis'
import type { Clock } from '../../clock.ts'
import { ANNOUNCE, ANNOUNCED } from './announcement-scripts.ts'
import type { Commands } from './commands.ts'
import { FORGOTTEN } from './control.ts'
import type { LogNames } from './keys.ts'
import type { PublishCommand } from './client.ts'
import type { SessionMember } from './session.ts'

// The limits of the stream of announcements, in entries, bytes and milliseconds since the last one was written or read.
// Announcements are small, except for changes of topics requested by clients.
const KEPT = 10_000
const KEPT_BYTES = 16_777_216
const KEPT_FOR = 3_600_000

// The most fetched at once: a reply must arrive in time over a slow link, too.
const PAGE = 256

// Marks the first place of an instance, if it has missed nothing before it.
const START = 's'

const WITH_ID = /^(\d+-\d+) /
// Two numbers of 20 digits each.
const LONGEST_ID = 42

interface AnnouncingClient {
  announceMessage(key: string, ...args: (string | number)[]): Promise<unknown>
  announcedMessages(key: string, log: string, ...args: (string | number)[]): Promise<Entry[]>
}

/** A message with its id, if it was stored. */
interface Announced {
  readonly id: string | undefined
  readonly message: Buffer | undefined
}

type Entry = [id: string, fields: string[]]

export interface AnnouncementsOptions {
  readonly commands: Commands
  readonly names: LogNames
  readonly command: PublishCommand
  readonly clock: Clock
  readonly deliver: (message: Buffer) => void
  /** Announcements may have been lost. */
  readonly missed: () => void
}

/**
 * Control messages between instances, independent of topics. They are sent at once and kept for a while, so that an
 * instance that was disconnected learns of a logout when it reconnects.
 *
 * Each instance knows the last one it received. It finds that one again, with everything after it, or it knows that
 * some may be lost: too many, away for too long, deleted, lost by a failover, or not stored for lack of memory. A new
 * instance fetches what was announced since it started, or likewise knows that some may be lost.
 */
export class Announcements implements SessionMember {
  readonly channels: string

  readonly #options: AnnouncementsOptions
  // The id of the last one received. Unknown if it could not be determined.
  #place: string | undefined
  // Those that arrive while missed ones are still being fetched.
  #held: Announced[] | undefined = []
  readonly #createdAt: number
  readonly #stopProlonging: () => void

  constructor(options: AnnouncementsOptions) {
    const { commands, names, clock } = options
    this.#options = options
    this.#createdAt = clock.monotonic()
    this.channels = names.control
    commands.client.defineCommand('announceMessage', { lua: ANNOUNCE, numberOfKeys: 1 })
    commands.client.defineCommand('announcedMessages', { lua: ANNOUNCED, numberOfKeys: 2 })
    // Without new announcements, existing places must not expire.
    this.#stopProlonging = clock.every(KEPT_FOR / 4, () => {
      this.#prolong()
    })
  }

  /** @throws {EventStreamError} `ERR_BROKER` */
  async announce(message: string): Promise<void> {
    const { commands, command, names } = this.#options
    await commands.run('announce', client =>
      announcing(client).announceMessage(
        names.announcements,
        message,
        KEPT,
        KEPT_FOR,
        command,
        names.control,
        KEPT_BYTES,
      ),
    )
  }

  /**
   * Publishes a message without storing it, for the instances connected now.
   *
   * @throws {EventStreamError} `ERR_BROKER`
   */
  async mention(message: string): Promise<void> {
    const { commands, command, names } = this.#options
    await commands.run('announce', client =>
      command === 'SPUBLISH' ? client.spublish(names.control, message) : client.publish(names.control, message),
    )
  }

  close(): void {
    this.#stopProlonging()
  }

  // Called by the session.

  /**
   * Fetches those missed since the last one received, then delivers the held ones.
   *
   * @throws {EventStreamError} `ERR_BROKER`
   */
  async up(): Promise<void> {
    const held = this.#held
    const heard = new Set<string | undefined>()
    let found: Entry[]
    do {
      const place = this.#place
      found = await this.#fetch(place)
      // The connection was lost again, or nothing is held.
      if (held === undefined || held !== this.#held) return
      const [first, ...since] = found
      if (first === undefined || (place === undefined ? first[1][0] !== START : first[0] !== place)) {
        this.#place = found.at(-1)?.[0]
        this.#options.missed()
        break
      }
      this.#place = first[0]
      for (const [id, fields] of since) {
        heard.add(id)
        this.#handOn({ id, message: messageOf(fields) })
      }
    } while (found.length === PAGE)
    this.#held = undefined
    heard.add(this.#place)
    for (const announced of held) {
      if (announced.id === undefined || !heard.has(announced.id)) this.#handOn(announced)
    }
  }

  #fetch(place: string | undefined): Promise<Entry[]> {
    const { commands, command, names, clock } = this.#options
    return commands.ask('announcements', client =>
      announcing(client).announcedMessages(
        names.announcements,
        names.log,
        KEPT_FOR,
        place ?? '',
        command,
        names.control,
        FORGOTTEN,
        PAGE,
        Math.ceil(clock.monotonic() - this.#createdAt),
      ),
    )
  }

  down(): void {
    this.#held = []
  }

  message(_channel: string, payload: Buffer): void {
    const id = WITH_ID.exec(payload.toString('latin1', 0, LONGEST_ID))?.[1]
    const announced = { id, message: id === undefined ? payload : payload.subarray(id.length + 1) }
    if (this.#held === undefined) this.#handOn(announced)
    else this.#held.push(announced)
  }

  // A message that was not stored has deleted all places, including this one.
  #handOn({ id, message }: Announced): void {
    if (id !== undefined) this.#place = id
    if (message !== undefined) this.#options.deliver(message)
  }

  #prolong(): void {
    const { commands, names } = this.#options
    // If it fails, the place may be gone, which will be noticed.
    commands.ask('announcements', client => client.pexpire(names.announcements, KEPT_FOR)).catch(() => undefined)
  }
}

// ioredis adds the commands as methods that its types do not know.
function announcing(client: Redis | Cluster): AnnouncingClient {
  return client as unknown as AnnouncingClient
}

// An entry without a message only makes a place.
function messageOf([field, message = '']: string[]): Buffer | undefined {
  return field === 'm' ? Buffer.from(message) : undefined
}
