import {
  KEPT_FOR,
  MOST_CHANGES,
  type Chores,
  type Present,
  type Roster,
  type RosterChange,
  type RosterEntry,
} from '../roster.ts'
import { list, unexpected } from './answers.ts'
import type { Commands } from './commands.ts'
import type { LogNames } from './keys.ts'
import { BEAT, CHANGE, CHORES, FORGET, INSTANCES, PRESENT, TOLD } from './roster-scripts.ts'

// The most dead instances and topics returned at once.
const MOST_CHORES = 100

type Argument = string | number

interface RosterClient {
  rosterBeat(instances: string, numbers: string, ...args: Argument[]): Promise<unknown>
  rosterInstances(instances: string): Promise<unknown>
  rosterForget(instances: string, numbers: string, entries: string, ...args: Argument[]): Promise<unknown>
  rosterChange(keys: number, ...args: Argument[]): Promise<unknown>
  rosterPresent(room: string, most: number): Promise<unknown>
  rosterTold(room: string, untold: string, topic: string, version: string): Promise<unknown>
  rosterChores(instances: string, untold: string, untoldFor: number, most: number): Promise<unknown>
}

/** The roster in Redis: see `roster-scripts.ts`. */
export class RedisRoster implements Roster {
  readonly #commands: Commands
  readonly #client: RosterClient
  readonly #names: LogNames

  constructor(commands: Commands, names: LogNames) {
    const { client } = commands
    client.defineCommand('rosterBeat', { lua: BEAT, numberOfKeys: 2 })
    client.defineCommand('rosterInstances', { lua: INSTANCES, numberOfKeys: 1 })
    client.defineCommand('rosterForget', { lua: FORGET, numberOfKeys: 3 })
    client.defineCommand('rosterChange', { lua: CHANGE })
    client.defineCommand('rosterPresent', { lua: PRESENT, numberOfKeys: 1 })
    client.defineCommand('rosterTold', { lua: TOLD, numberOfKeys: 2 })
    client.defineCommand('rosterChores', { lua: CHORES, numberOfKeys: 2 })
    this.#commands = commands
    // ioredis adds the commands as methods that its types do not know.
    this.#client = client as unknown as RosterClient
    this.#names = names
  }

  async beat(instance: string, ttl: number): Promise<number | undefined> {
    const { instances, numbers } = this.#names
    const ms = Math.ceil(ttl)
    const kept = Math.max(KEPT_FOR, ms)
    const beat = () => this.#client.rosterBeat(instances, numbers, instance, ms, kept)
    const number = await this.#commands.ask('beat', beat)
    return number === null ? undefined : Number(number)
  }

  async instances(): Promise<readonly string[]> {
    const answer = await this.#commands.ask('instances', () => this.#client.rosterInstances(this.#names.instances))
    return list(answer).map(String)
  }

  async retire(instance: string): Promise<void> {
    await this.#forget(instance, 'any')
  }

  async change(instance: string, number: number, changes: readonly RosterChange[]): Promise<readonly string[]> {
    return (await this.#change(instance, number, changes)) ?? []
  }

  async entries(instance: string): Promise<readonly RosterEntry[]> {
    const entries = new Set<string>()
    let cursor = '0'
    do {
      const key = this.#names.entries(instance)
      const scan = cursor
      const [next, page] = await this.#commands.run('entries', client => client.sscan(key, scan, 'COUNT', MOST_CHANGES))
      for (const entry of page) entries.add(entry)
      cursor = next
    } while (cursor !== '0')
    return [...entries].map(entryOf)
  }

  async present(topic: string, most: number): Promise<Present> {
    const ask = () => this.#client.rosterPresent(this.#names.room(topic), most)
    const [version, count, ...pairs] = list(await this.#commands.run('present', ask)).map(String)
    if (version === undefined || count === undefined) throw unexpected()
    const members: { id: string; since: number; info: string }[] = []
    for (let at = 0; at + 1 < pairs.length; at += 2) {
      const [, since, info] = /^(\d+) \S* (.*)$/s.exec(pairs[at + 1] ?? '') ?? []
      members.push({ id: pairs[at] ?? '', since: Number(since), info: info ?? 'true' })
    }
    members.sort((a, b) => a.since - b.since)
    return { version, count: Number(count), members: members.map(({ id, info }) => ({ id, info })) }
  }

  async told(topic: string, version: string): Promise<boolean> {
    const { untold } = this.#names
    const ask = () => this.#client.rosterTold(this.#names.room(topic), untold, topic, version)
    return (await this.#commands.run('told', ask)) === 1
  }

  async chores(untoldFor: number): Promise<Chores> {
    const { instances, untold } = this.#names
    const ask = () => this.#client.rosterChores(instances, untold, untoldFor, MOST_CHORES)
    const [dead, topics] = list(await this.#commands.ask('chores', ask))
    return { dead: list(dead).map(String), untold: list(topics).map(String) }
  }

  async bury(instance: string): Promise<readonly string[]> {
    const moved = new Set<string>()
    for (;;) {
      const key = this.#names.entries(instance)
      const some = await this.#commands.run('bury', client => client.srandmember(key, MOST_CHANGES))
      if (some.length === 0) break
      const gone = await this.#change(instance, 0, some.map(leavingOf))
      if (gone === undefined) return [...moved]
      for (const topic of gone) moved.add(topic)
    }
    await this.#forget(instance, 'dead')
    return [...moved]
  }

  async #forget(instance: string, which: 'any' | 'dead'): Promise<void> {
    const { instances, numbers } = this.#names
    const entries = this.#names.entries(instance)
    const ask = () => this.#client.rosterForget(instances, numbers, entries, instance, which)
    await this.#commands.ask('forget instance', ask)
  }

  // Returns nothing if a dead instance is alive again.
  async #change(
    instance: string,
    number: number,
    changes: readonly RosterChange[],
  ): Promise<readonly string[] | undefined> {
    const { instances, numbers, untold, rosterVersion } = this.#names
    const rooms = changes.map(({ topic }) => this.#names.room(topic))
    const keys = [instances, numbers, this.#names.entries(instance), untold, rosterVersion, ...rooms]
    const args = changes.flatMap(({ topic, id, info = '' }) => [topic, id, info])
    const ask = () => this.#client.rosterChange(keys.length, ...keys, instance, number, KEPT_FOR, ...args)
    const answer = await this.#commands.run('presence', ask)
    return answer === null ? undefined : list(answer).map(String)
  }
}

function entryOf(text: string): RosterEntry {
  const at = text.indexOf('\n')
  return { topic: text.slice(0, at), id: text.slice(at + 1) }
}

function leavingOf(text: string): RosterChange {
  return { ...entryOf(text), info: undefined }
}
