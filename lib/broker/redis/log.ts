import { randomUUID } from 'node:crypto'
import type { Buffer } from 'node:buffer'
import type { Cluster, Redis } from 'ioredis'
import { EventStreamError } from '../../errors.ts'
import type { HistoryLimits } from '../history.ts'
import type { Position } from '../../wire/cursor.ts'
import { Acknowledged } from '../replica/acknowledged.ts'
import type { Commands } from './commands.ts'
import type { LogNames } from './keys.ts'
import { loggedEvent, type LoggedEvent } from './message.ts'
import { Outbox, type Outgoing, type Place } from '../replica/outbox.ts'
import { RENEWED } from './control.ts'
import { PUBLISH, READ, RENEW } from './scripts.ts'

/** What a connection to Redis can do once the log's scripts are defined on it. The answers are bytes. */
export interface LogConnection {
  publishEventsBuffer(keys: number, ...args: (string | number | Uint8Array)[]): Promise<unknown>
  readLogBuffer(keys: number, ...args: (string | number)[]): Promise<unknown>
  renewLogBuffer(keys: number, ...args: (string | number)[]): Promise<unknown>
}

/** Where the log stands. */
export interface LogState {
  readonly epoch: string
  readonly seq: number
  /** Events up to here are of an earlier life of the log. */
  readonly base: number
  /** What Redis' clock says, in milliseconds since 1970. */
  readonly now: number
}

/** Which events of a topic are wanted: those after a `seq`, all of them or so many. */
export interface Wish {
  readonly after: number
  readonly count?: number
}

/** No events, but the `seq` of the last one. */
export const NOTHING: Wish = { after: 0, count: 0 }

/** What the log knows of a topic. */
export interface TopicState {
  readonly topic: string
  /** The `seq` of its last event. */
  readonly last: number
  readonly events: readonly LoggedEvent[]
}

/** How the log publishes: sharded on a Cluster. */
export type PublishCommand = 'PUBLISH' | 'SPUBLISH'

/** How many topics the log's hash knows before it is put aside. The one that was put aside knows as many. */
export const KNOWN_TOPICS = 100_000

/** The log in Redis: what its scripts take and answer, with types. */
export class Log {
  readonly #commands: Commands
  readonly #connection: LogConnection
  readonly #names: LogNames
  readonly #limits: HistoryLimits
  readonly #command: PublishCommand
  readonly #roots: readonly [string, string]
  readonly #outbox: Outbox
  /** What was published here. */
  readonly acknowledged = new Acknowledged()

  constructor(commands: Commands, names: LogNames, limits: HistoryLimits, command: PublishCommand) {
    this.#commands = commands
    this.#connection = withScripts(commands.client)
    this.#names = names
    this.#limits = limits
    this.#command = command
    this.#roots = [names.log, names.older]
    this.#outbox = new Outbox(events => this.#publishAll(events))
  }

  /** Publishes an event and answers its place. Rejects with `ERR_BROKER`, as all calls here do. */
  async publish(topics: readonly string[], body: Uint8Array): Promise<Position> {
    const { epoch, seq, previous } = await this.#commands.run('publish', () => this.#outbox.put({ topics, body }))
    const position = { epoch, seq }
    const lost = topics.filter((topic, index) => this.acknowledged.add(topic, position, previous[index] ?? 0))
    if (lost.length > 0) await this.renew(epoch, seq)
    return position
  }

  async #publishAll(events: readonly Outgoing[]): Promise<(Place | Error)[]> {
    const { count, bytes, age } = this.#limits
    const numbers = new Map<string, number>()
    const bodies = events.flatMap(({ topics, body }) => [body, topics.map(topic => numberOf(topic, numbers)).join(' ')])
    const topics = [...numbers.keys()]
    const keys = [...this.#roots, ...topics.map(topic => this.#names.events(topic))]
    const named = topics.flatMap(topic => [topic, this.#names.channel(topic)])
    const limits = [count, bytes, age, KNOWN_TOPICS]
    const answer = await this.#connection.publishEventsBuffer(
      keys.length,
      ...keys,
      newEpoch(),
      ...limits,
      this.#command,
      ...named,
      ...bodies,
    )
    const [epoch, ...places] = list(answer)
    return places.map(place => {
      const [seq, ...previous] = list(place)
      if (seq === null) return new Error(text(previous[0]))
      return { epoch: text(epoch), seq: number(seq), previous: previous.map(number) }
    })
  }

  /** Reads where the log stands, and of each topic its last event and those that are wanted. */
  async read(wanted: ReadonlyMap<string, Wish>): Promise<{ state: LogState; topics: TopicState[] }> {
    const names = [...wanted.keys()]
    const keys = [...this.#roots, ...names.map(topic => this.#names.events(topic))]
    const asked = [...wanted].flatMap(([topic, { after, count = Number.MAX_SAFE_INTEGER }]) => [topic, after, count])
    const answer = await this.#commands.ask('read', () =>
      this.#connection.readLogBuffer(keys.length, ...keys, newEpoch(), ...asked),
    )
    const [epoch, seq, base, now, ...topics] = list(answer)
    const state: LogState = { epoch: text(epoch), seq: number(seq), base: number(base), now: number(now) }
    return { state, topics: names.map((topic, index) => topicState(topic, topics[index], state.epoch)) }
  }

  /** Begins a new life of the log if it has lost what was published here. */
  async verify(): Promise<void> {
    const acknowledged = this.acknowledged.of('')
    if (acknowledged.size === 0) return
    const { state, topics } = await this.read(
      new Map([...acknowledged].map(([topic, after]) => [topic, { after, count: 1 }])),
    )
    if (this.acknowledged.of(state.epoch).size === 0) return
    const lost = topics.filter(topic => hasLost(topic, acknowledged.get(topic.topic) ?? 0))
    if (lost.length > 0) await this.renew(state.epoch, Math.max(...acknowledged.values()))
  }

  /** Begins a new life of the log in place of one that has lost events, with ids over `seq`. */
  async renew(epoch: string, seq: number): Promise<void> {
    const { control } = this.#names
    await this.#commands.ask('renew', () =>
      this.#connection.renewLogBuffer(2, ...this.#roots, newEpoch(), epoch, seq, this.#command, control, RENEWED),
    )
  }
}

/**
 * Whether the log does not know of an event any more: it ends before it, or goes on from before it, since somebody has
 * published after the loss. It may well have forgotten what the event was.
 */
export function hasLost(topic: TopicState | undefined, seq: number): boolean {
  if (topic === undefined) return false
  const next = topic.events.find(event => event.seq > seq)
  return topic.last < seq || (next !== undefined && next.previous < seq)
}

function withScripts(client: Redis | Cluster): LogConnection {
  client.defineCommand('publishEvents', { lua: PUBLISH })
  client.defineCommand('readLog', { lua: READ })
  client.defineCommand('renewLog', { lua: RENEW })
  // ioredis adds the commands as methods that its types cannot know of.
  return client as unknown as LogConnection
}

function numberOf(topic: string, numbers: Map<string, number>): number {
  const number = numbers.get(topic) ?? numbers.size + 1
  numbers.set(topic, number)
  return number
}

function newEpoch(): string {
  return randomUUID().slice(-12)
}

function topicState(topic: string, answer: unknown, epoch: string): TopicState {
  const [last, entries] = list(answer)
  const events = list(entries).map(entry => {
    const [head, body] = list(entry)
    const [seq, previous, at] = text(head).split(' ').map(Number)
    if (seq === undefined || previous === undefined || at === undefined) throw unexpected()
    return loggedEvent(epoch, seq, previous, at, bytes(body))
  })
  return { topic, last: number(last), events }
}

function list(answer: unknown): unknown[] {
  if (Array.isArray(answer)) return answer
  throw unexpected()
}

function bytes(answer: unknown): Buffer {
  if (answer instanceof Uint8Array) return answer as Buffer
  throw unexpected()
}

function text(answer: unknown): string {
  return bytes(answer).toString('latin1')
}

function number(answer: unknown): number {
  const value = Number(text(answer))
  if (Number.isSafeInteger(value)) return value
  throw unexpected()
}

function unexpected(): EventStreamError {
  return new EventStreamError('ERR_BROKER', 'Redis answered something that no script of this package answers')
}
