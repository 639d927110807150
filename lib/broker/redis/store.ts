import type { KeyValueStore } from '../key-value-store.ts'
import type { Commands } from './commands.ts'
import type { LogNames } from './keys.ts'

/** Small values with a TTL, shared by all instances. */
export class RedisStore implements KeyValueStore {
  readonly #commands: Commands
  readonly #names: LogNames

  constructor(commands: Commands, names: LogNames) {
    this.#commands = commands
    this.#names = names
  }

  async set(key: string, value: string, ttl: number): Promise<void> {
    if (ttl <= 0) return
    await this.#commands.run('set', () =>
      this.#commands.client.set(this.#names.value(key), value, 'PX', Math.ceil(ttl)),
    )
  }

  async get(key: string): Promise<string | undefined> {
    return (await this.#commands.run('get', () => this.#commands.client.get(this.#names.value(key)))) ?? undefined
  }

  async take(key: string): Promise<string | undefined> {
    return (await this.#commands.run('take', () => this.#commands.client.getdel(this.#names.value(key)))) ?? undefined
  }
}
