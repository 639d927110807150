import type { Lease, LeaseStore, Supersession } from '../lease-store.ts'
import type { Commands } from './commands.ts'
import type { LogNames } from './keys.ts'
import { LEASE, RELEASE, RENEW_LEASES, SUPERSEDE, TAKEN } from './lease-scripts.ts'

// The most leases per script, which blocks Redis.
const BATCH = 500

interface LeasingClient {
  takeLease(key: string, holder: string, ttl: number, most: number): Promise<unknown>
  supersedeLeases(key: string, holder: string, ttl: number, most: number): Promise<unknown>
  countLeases(key: string): Promise<unknown>
  renewLeases(keys: number, ...args: (string | number)[]): Promise<unknown>
  releaseLeases(keys: number, ...args: (string | number)[]): Promise<unknown>
}

/** Leases in Redis: for each key a sorted set of holders, by when their leases expire on Redis' clock. */
export class RedisLeases implements LeaseStore {
  readonly #commands: Commands
  readonly #client: LeasingClient
  readonly #names: LogNames

  constructor(commands: Commands, names: LogNames) {
    const { client } = commands
    client.defineCommand('takeLease', { lua: LEASE, numberOfKeys: 1 })
    client.defineCommand('supersedeLeases', { lua: SUPERSEDE, numberOfKeys: 1 })
    client.defineCommand('countLeases', { lua: TAKEN, numberOfKeys: 1 })
    client.defineCommand('renewLeases', { lua: RENEW_LEASES })
    client.defineCommand('releaseLeases', { lua: RELEASE })
    this.#commands = commands
    // ioredis adds the commands as methods that its types do not know.
    this.#client = client as unknown as LeasingClient
    this.#names = names
  }

  async lease({ key, holder }: Lease, ttl: number, most: number): Promise<boolean> {
    const answer = await this.#commands.run('lease', () =>
      this.#client.takeLease(this.#names.places(key), holder, ttl, most),
    )
    return answer === 1
  }

  async supersede({ key, holder }: Lease, ttl: number, most: number): Promise<Supersession> {
    const answer = await this.#commands.run('supersede', () =>
      this.#client.supersedeLeases(this.#names.places(key), holder, ttl, most),
    )
    const [own = holder, ...lost] = Array.isArray(answer) ? answer.map(String) : []
    return { lease: { key, holder: own }, superseded: lost.map(withoutAge) }
  }

  async taken(key: string): Promise<number> {
    return Number(await this.#commands.run('count leases', () => this.#client.countLeases(this.#names.places(key))))
  }

  async renew(leases: readonly Lease[], ttl: number): Promise<void> {
    for (const batch of batches(leases)) {
      await this.#commands.run('renew leases', () =>
        this.#client.renewLeases(batch.length, ...this.#keys(batch), ttl, ...holders(batch)),
      )
    }
  }

  async release(leases: readonly Lease[]): Promise<void> {
    for (const batch of batches(leases)) {
      await this.#commands.run('release leases', () =>
        this.#client.releaseLeases(batch.length, ...this.#keys(batch), ...holders(batch)),
      )
    }
  }

  #keys(leases: readonly Lease[]): string[] {
    return leases.map(({ key }) => this.#names.places(key))
  }
}

// See `SUPERSEDE`.
function withoutAge(name: string): string {
  return name.replace(/^\d{15}:/, '')
}

function holders(leases: readonly Lease[]): string[] {
  return leases.map(({ holder }) => holder)
}

function* batches(leases: readonly Lease[]): Generator<readonly Lease[]> {
  for (let start = 0; start < leases.length; start += BATCH) yield leases.slice(start, start + BATCH)
}
