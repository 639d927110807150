import { randomUUID } from 'node:crypto'
import type { Source } from '../broker/redis/client.ts'
import { Commands } from '../broker/redis/commands.ts'
import { connectionsOf } from '../broker/redis/connections.ts'
import { systemClock } from '../clock.ts'

/** An entry of a Redis Stream. */
export interface StreamEntry {
  readonly id: string
  readonly fields: Readonly<Record<string, string>>
}

/** An entry read from the stream, without fields if it has been deleted. */
export interface ReadEntry {
  readonly id: string
  readonly fields: StreamEntry['fields'] | undefined
}

export interface GroupReaderOptions {
  readonly client: Source
  readonly stream: string
  readonly group: string
  /** Entries per read. */
  readonly batch: number
  /** Milliseconds until an unacknowledged entry of another reader is claimed. */
  readonly claimAfter: number
}

const TIMEOUT = 5_000
// How long a read blocks, in milliseconds; a close may have to wait as long.
const BLOCK = 1_000
// Removes idle readers without pending entries, atomically: an entry delivered to a reader in between would be lost.
// KEYS: the stream. ARGV: the group, milliseconds, the calling reader.
const REMOVE_READERS = `
for _, reader in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local fields = {}
  for index = 1, #reader, 2 do fields[reader[index]] = reader[index + 1] end
  if fields.pending == 0 and fields.idle > tonumber(ARGV[2]) and fields.name ~= ARGV[3] then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], fields.name)
  end
end
`
// About how many rejected entries are kept for inspection.
const KEPT = 10_000

/** A reader of a consumer group. Every call rejects with `ERR_BROKER` if Redis fails. */
export class GroupReader {
  readonly #options: GroupReaderOptions
  readonly #consumer = randomUUID()
  readonly #commands: Commands
  // Whether this reader may have pending entries.
  #hasBegun = false
  // The cursor for claiming entries of other readers.
  #claimFrom = '0-0'
  // When idle readers were last removed, on the monotonic clock.
  #lookedAt = -Infinity

  constructor(options: GroupReaderOptions) {
    this.#options = options
    const connections = connectionsOf(options.client, options.stream)
    this.#commands = new Commands(connections, TIMEOUT, Infinity, systemClock)
  }

  /** Creates the group, if missing, at the beginning of the stream. */
  async createGroup(): Promise<void> {
    const { stream, group } = this.#options
    try {
      await this.#ask(client => client.xgroup('CREATE', stream, group, '0', 'MKSTREAM'))
    } catch (error) {
      if (!(error instanceof Error && error.message.includes('BUSYGROUP'))) throw error
    }
  }

  /**
   * Returns the next entries; none if the read timed out. Own pending entries come first, then claimed ones, which are
   * older than new ones.
   */
  async next(): Promise<ReadEntry[]> {
    const begun = this.#hasBegun ? await this.#read('0') : []
    if (begun.length > 0) return begun
    // Set before the reply, which may be lost.
    this.#hasBegun = true
    const left = await this.#claim()
    await this.#removeReaders()
    return left.length > 0 ? left : this.#read('>')
  }

  /** Acknowledges entries; `all` if these were all that had been read. */
  async acknowledge(ids: readonly string[], all: boolean): Promise<void> {
    const { stream, group } = this.#options
    if (ids.length > 0) await this.#ask(client => client.xack(stream, group, ...ids))
    this.#hasBegun = !all
  }

  /** Moves an entry to the stream of rejected entries. */
  async reject({ id, fields }: StreamEntry, reason: string): Promise<void> {
    const told = ['rejected', reason, 'entry', id, ...Object.entries(fields).flat()]
    await this.#ask(client => client.xadd(`${this.#options.stream}:rejected`, 'MAXLEN', '~', KEPT, '*', ...told))
  }

  /** Stops waiting for a connection. */
  interrupt(): void {
    if (this.#commands.client.status !== 'ready') this.#commands.close()
  }

  async close(): Promise<void> {
    const { stream, group } = this.#options
    try {
      // Removes this reader if it has no pending entries: they would be deleted with it.
      const pending = await this.#ask(client => client.xpending(stream, group, '-', '+', 1, this.#consumer))
      if (pending.length === 0) await this.#ask(client => client.xgroup('DELCONSUMER', stream, group, this.#consumer))
    } catch {
      // Keeping the reader does no harm.
    }
    this.#commands.close()
  }

  async #read(from: '0' | '>'): Promise<ReadEntry[]> {
    const { stream, group, batch } = this.#options
    // `null` if the read timed out, contrary to the types.
    const answer: unknown = await this.#ask(client =>
      client.xreadgroup('GROUP', group, this.#consumer, 'COUNT', batch, 'BLOCK', BLOCK, 'STREAMS', stream, from),
    )
    if (!Array.isArray(answer)) return []
    return (answer as [key: string, entries: unknown][]).flatMap(([, entries]) => entriesOf(entries))
  }

  async #claim(): Promise<ReadEntry[]> {
    const { stream, group, batch, claimAfter } = this.#options
    const [cursor, entries, deleted] = await this.#ask(client =>
      client.xautoclaim(stream, group, this.#consumer, claimAfter, this.#claimFrom, 'COUNT', batch),
    )
    this.#claimFrom = typeof cursor === 'string' ? cursor : '0-0'
    const gone = Array.isArray(deleted) ? deleted.map(id => ({ id: String(id), fields: undefined })) : []
    return [...gone, ...entriesOf(entries)]
  }

  // A reader is active with each read. If an active one is removed all the same, its next read creates it again.
  async #removeReaders(): Promise<void> {
    const { stream, group, claimAfter } = this.#options
    const now = systemClock.monotonic()
    if (now - this.#lookedAt < claimAfter) return
    this.#lookedAt = now
    await this.#ask(client => client.eval(REMOVE_READERS, 1, stream, group, claimAfter + BLOCK, this.#consumer))
  }

  #ask<T>(work: (client: Commands['client']) => Promise<T>): Promise<T> {
    return this.#commands.ask('bridge', () => work(this.#commands.client))
  }
}

function entriesOf(answer: unknown): ReadEntry[] {
  if (!Array.isArray(answer)) return []
  const entries: ReadEntry[] = []
  for (const entry of answer as ([id: string, fields: string[] | null] | null)[]) {
    // Redis 6.2 returns `null` for a claimed entry that has been deleted.
    if (entry !== null) entries.push({ id: entry[0], fields: entry[1] === null ? undefined : fieldsOf(entry[1]) })
  }
  return entries
}

function fieldsOf(list: readonly string[]): Record<string, string> {
  const pairs: [string, string][] = []
  for (let index = 0; index + 1 < list.length; index += 2) pairs.push([list[index] ?? '', list[index + 1] ?? ''])
  return Object.fromEntries(pairs)
}
