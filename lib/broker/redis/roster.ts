import type { Roster } from '../roster.ts'
import type { Commands } from './commands.ts'
import type { LogNames } from './keys.ts'
import { list } from './answers.ts'
import { BEAT, INSTANCES } from './roster-scripts.ts'

// Milliseconds until nothing is left behind by instances that have all died.
const KEPT_FOR = 3_600_000

interface RosterClient {
  rosterBeat(key: string, instance: string, ttl: number, kept: number): Promise<unknown>
  rosterInstances(key: string): Promise<unknown>
}

/** Who is there, in Redis: a sorted set of instances, by when their leases end by Redis' clock. */
export class RedisRoster implements Roster {
  readonly #commands: Commands
  readonly #client: RosterClient
  readonly #names: LogNames

  constructor(commands: Commands, names: LogNames) {
    const { client } = commands
    client.defineCommand('rosterBeat', { lua: BEAT, numberOfKeys: 1 })
    client.defineCommand('rosterInstances', { lua: INSTANCES, numberOfKeys: 1 })
    this.#commands = commands
    // ioredis adds the commands as methods that its types cannot know of.
    this.#client = client as unknown as RosterClient
    this.#names = names
  }

  async beat(instance: string, ttl: number): Promise<boolean> {
    const { instances } = this.#names
    const ms = Math.ceil(ttl)
    const kept = Math.max(KEPT_FOR, ms)
    return (await this.#commands.ask('beat', () => this.#client.rosterBeat(instances, instance, ms, kept))) === 1
  }

  async instances(): Promise<readonly string[]> {
    const { instances } = this.#names
    const answer = await this.#commands.ask('instances', () => this.#client.rosterInstances(instances))
    return list(answer).map(String)
  }

  async retire(instance: string): Promise<void> {
    await this.#commands.ask('retire', client => client.zrem(this.#names.instances, instance))
  }
}
