import type { Clock } from '../../clock.ts'
import type { Chores, Present, Roster, RosterChange, RosterEntry } from '../roster.ts'

/** An identity present at a topic. */
interface Member {
  info: string
  /** The instances that report it. */
  readonly holders: Set<string>
}

interface Room {
  version: number
  readonly members: Map<string, Member>
}

interface KnownInstance {
  /** When its lease expires, on the monotonic clock. */
  until: number
  number: number
  /** The identities at each topic. */
  readonly entries: Map<string, Set<string>>
}

/** The roster in this process's memory. */
export class MemoryRoster implements Roster {
  readonly #clock: Clock
  readonly #instances = new Map<string, KnownInstance>()
  readonly #rooms = new Map<string, Room>()
  // By when they changed, or were last handed out by `chores`.
  readonly #untold = new Map<string, number>()
  #version = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async beat(name: string, ttl: number): Promise<number | undefined> {
    const instance = this.#instance(name)
    const hasLived = instance.until > this.#now
    instance.until = this.#now + ttl
    return hasLived ? instance.number : undefined
  }

  async instances(): Promise<readonly string[]> {
    return [...this.#instances].filter(([, { until }]) => until > this.#now).map(([name]) => name)
  }

  async retire(name: string): Promise<void> {
    const instance = this.#instances.get(name)
    if (instance === undefined) return
    if (instance.entries.size === 0) this.#instances.delete(name)
    else instance.until = this.#now
  }

  async change(name: string, number: number, changes: readonly RosterChange[]): Promise<readonly string[]> {
    const instance = this.#instance(name)
    if (number <= instance.number) return []
    instance.number = number
    return this.#apply(name, instance, changes)
  }

  async entries(name: string): Promise<readonly RosterEntry[]> {
    return entriesOf(this.#instances.get(name))
  }

  async present(topic: string, most: number): Promise<Present> {
    const room = this.#rooms.get(topic)
    if (room === undefined) return { version: '', count: 0, members: [] }
    const members: { id: string; info: string }[] = []
    for (const [id, { info }] of room.members) {
      if (members.length >= most) break
      members.push({ id, info })
    }
    return { version: String(room.version), count: room.members.size, members }
  }

  async told(topic: string, version: string): Promise<boolean> {
    const isPresent = version === String(this.#rooms.get(topic)?.version ?? '')
    if (isPresent) this.#untold.delete(topic)
    return isPresent
  }

  async chores(untoldFor: number): Promise<Chores> {
    const dead = [...this.#instances].filter(([, { until }]) => until <= this.#now).map(([name]) => name)
    const untold = [...this.#untold].filter(([, since]) => since + untoldFor <= this.#now).map(([topic]) => topic)
    for (const topic of untold) this.#untold.set(topic, this.#now)
    return { dead, untold }
  }

  async bury(name: string): Promise<readonly string[]> {
    const instance = this.#instances.get(name)
    if (instance === undefined || instance.until > this.#now) return []
    const moved = this.#apply(name, instance, entriesOf(instance).map(leaving))
    this.#instances.delete(name)
    return moved
  }

  /** Clears everything, like a store that has been flushed. */
  clear(): void {
    this.#instances.clear()
    this.#rooms.clear()
    this.#untold.clear()
  }

  get #now(): number {
    return this.#clock.monotonic()
  }

  // An unknown instance counts as dead.
  #instance(name: string): KnownInstance {
    const instance = this.#instances.get(name) ?? {
      until: -Infinity,
      number: 0,
      entries: new Map<string, Set<string>>(),
    }
    this.#instances.set(name, instance)
    return instance
  }

  #apply(name: string, { entries }: KnownInstance, changes: readonly RosterChange[]): readonly string[] {
    const moved = new Set<string>()
    for (const { topic, id, info } of changes) {
      const own = entries.get(topic) ?? new Set()
      if (info === undefined) own.delete(id)
      else own.add(id)
      if (own.size > 0) entries.set(topic, own)
      else entries.delete(topic)
      if (info === undefined ? this.#leave(topic, id, name) : this.#enter(topic, id, name, info)) moved.add(topic)
    }
    for (const topic of moved) this.#moved(topic)
    return [...moved]
  }

  // Both return whether the change is visible.

  #enter(topic: string, id: string, holder: string, info: string): boolean {
    const room: Room = this.#rooms.get(topic) ?? { version: 0, members: new Map() }
    this.#rooms.set(topic, room)
    const member = room.members.get(id)
    if (member === undefined) {
      room.members.set(id, { info, holders: new Set([holder]) })
      return true
    }
    const isSame = member.info === info
    member.info = info
    member.holders.add(holder)
    return !isSame
  }

  #leave(topic: string, id: string, holder: string): boolean {
    const room = this.#rooms.get(topic)
    const member = room?.members.get(id)
    if (member?.holders.delete(holder) !== true || member.holders.size > 0) return false
    return room?.members.delete(id) === true
  }

  #moved(topic: string): void {
    this.#version += 1
    const room = this.#rooms.get(topic)
    if (room !== undefined) room.version = this.#version
    if (room?.members.size === 0) this.#rooms.delete(topic)
    if (!this.#untold.has(topic)) this.#untold.set(topic, this.#now)
  }
}

function entriesOf(instance: KnownInstance | undefined): RosterEntry[] {
  return [...(instance?.entries ?? [])].flatMap(([topic, ids]) => [...ids].map(id => ({ topic, id })))
}

function leaving({ topic, id }: RosterEntry): RosterChange {
  return { topic, id, info: undefined }
}
