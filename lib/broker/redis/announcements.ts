import { Buffer } from 'node:buffer'
import type { Cluster, Redis } from 'ioredis'
import type { Clock } from '../../clock.ts'
import { ANNOUNCE, ANNOUNCED } from './announcement-scripts.ts'
import type { Commands } from './commands.ts'
import { FORGOTTEN } from './control.ts'
import type { LogNames } from './keys.ts'
import type { PublishCommand } from './client.ts'
import type { SessionMember } from './session.ts'

// How many announcements are remembered, of how many bytes, and for how many milliseconds after the last one was made or looked for.
// They are small but for changes of topics, which clients may have made.
const KEPT = 10_000
const KEPT_BYTES = 16_777_216
const KEPT_FOR = 3_600_000

// How many are fetched at once: an answer must come in time over a slow link, too.
const PAGE = 256

// Marks the first place of an instance where nothing was announced before that it should have heard.
const START = 's'

const WITH_ID = /^(\d+-\d+) /
// Two numbers of 20 digits each.
const LONGEST_ID = 42

interface AnnouncingClient {
  announceMessage(key: string, ...args: (string | number)[]): Promise<unknown>
  announcedMessages(key: string, log: string, ...args: (string | number)[]): Promise<Entry[]>
}

/** A message with its id, if it could be remembered. */
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
  /** Some may have been made that will never come. */
  readonly missed: () => void
}

/**
 * What instances tell each other whatever their topics. It is handed out at once, and remembered for a while, so that an
 * instance that was cut off hears of a log-out when it is back.
 *
 * Each instance knows the last one that it has heard. It finds that one again, with all that came after it, or it knows that
 * some may be lost: they were too many, it was away for too long, somebody has deleted them, a fail-over has lost some, or Redis
 * had no memory to remember one in. When it finds its first place it fetches what was announced since it began, or knows the same.
 */
export class Announcements implements SessionMember {
  readonly channels: string

  readonly #options: AnnouncementsOptions
  // The id of the last one that was heard. Unknown where it could not be found out.
  #place: string | undefined
  // Those that come while it is not known what was missed before them.
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
    // Where nothing is announced for long, everybody's place must stay.
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
   * Hands a message to whoever hears it now, and to nobody later.
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

  // What the session tells.

  /**
   * Fetches what was missed since the last one that was heard, and lets come what comes.
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
      // The connection was lost once more, or there is nothing to wait for.
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

  // One that was not remembered has left nobody a place: ours will not be found.
  #handOn({ id, message }: Announced): void {
    if (id !== undefined) this.#place = id
    if (message !== undefined) this.#options.deliver(message)
  }

  #prolong(): void {
    const { commands, names } = this.#options
    // If it fails, the place may be gone: that is found out.
    commands.ask('announcements', client => client.pexpire(names.announcements, KEPT_FOR)).catch(() => undefined)
  }
}

// ioredis adds the commands as methods that its types cannot know of.
function announcing(client: Redis | Cluster): AnnouncingClient {
  return client as unknown as AnnouncingClient
}

// An entry without a message only makes a place.
function messageOf([field, message = '']: string[]): Buffer | undefined {
  return field === 'm' ? Buffer.from(message) : undefined
}
