import { randomUUID } from 'node:crypto'
import type { Buffer } from 'node:buffer'
import type { Cluster, Redis } from 'ioredis'
import { EventStreamError } from '../../errors.ts'
import type { HistoryLimits } from '../history-policy.ts'
import type { Position } from '../../wire/cursor.ts'
import type { Appended, LogPage, LogState, Outgoing, Page, TopicPage, Wish } from '../replica/log-engine.ts'
import type { Commands } from './commands.ts'
import { RENEWED } from './control.ts'
import { redisFailure } from './failure.ts'
import type { LogNames } from './keys.ts'
import { loggedEvent, predecessor } from './message.ts'
import { PUBLISH, READ, RENEW } from './scripts.ts'

/** What a connection to Redis can do once the log's scripts are defined on it. The answers are bytes. */
export interface LogConnection {
  publishEventsBuffer(keys: number, ...args: (string | number | Uint8Array)[]): Promise<unknown>
  readLogBuffer(keys: number, ...args: (string | number)[]): Promise<unknown>
  renewLogBuffer(keys: number, ...args: (string | number)[]): Promise<unknown>
}

/** How the log publishes: sharded on a Cluster. */
export type PublishCommand = 'PUBLISH' | 'SPUBLISH'

const EVERYTHING: Page = { bytes: Number.MAX_SAFE_INTEGER }

/** How many topics the log's hash knows before it is put aside. The one that was put aside knows as many. */
export const KNOWN_TOPICS = 100_000

/** Names of the log's scripts, with which a connection has to know them. */
export type Scripted = Redis | Cluster

/** The log in Redis: what its scripts take and answer, with types. Every call rejects with `ERR_BROKER` where it fails. */
export class Log {
  readonly #commands: Commands
  readonly #names: LogNames
  readonly #limits: HistoryLimits
  readonly #command: PublishCommand
  readonly #roots: readonly [string, string]

  constructor(commands: Commands, names: LogNames, limits: HistoryLimits, command: PublishCommand) {
    this.#commands = commands
    this.#names = names
    this.#limits = limits
    this.#command = command
    this.#roots = [names.log, names.older]
    addScripts(commands.client)
  }

  /** Publishes events, and answers for each of them its place, or what went wrong. */
  async append(events: readonly Outgoing[]): Promise<(Appended | Error)[]> {
    const { count, bytes, age } = this.#limits
    const numbers = new Map<string, number>()
    const bodies = events.flatMap(({ topics, body }) => [body, topics.map(topic => numberOf(topic, numbers)).join(' ')])
    const topics = [...numbers.keys()]
    const keys = [...this.#roots, ...topics.map(topic => this.#names.events(topic))]
    const named = topics.flatMap(topic => [topic, this.#names.channel(topic)])
    const limits = [count, bytes, age, KNOWN_TOPICS]
    const answer = await this.#commands.ask('publish', client =>
      scripted(client).publishEventsBuffer(
        keys.length,
        ...keys,
        newEpoch(),
        ...limits,
        this.#command,
        ...named,
        ...bodies,
      ),
    )
    const [epoch, ...places] = list(answer)
    return places.map(place => {
      const [seq, ...previous] = list(place)
      if (seq === null) return redisFailure('publish', new Error(text(previous[0])))
      const at = Math.floor(number(seq) / 1_000)
      return { epoch: text(epoch), seq: number(seq), at, previous: previous.map(one => predecessor(text(one))) }
    })
  }

  /** Reads where the log stands, and of each topic where it ends and a page of the events that are wished for. */
  async read(wishes: readonly Wish[], page?: Page): Promise<LogPage> {
    return this.#commands.ask('read', client => this.readOn(client, wishes, page))
  }

  /** The same, on a connection that knows the scripts. Rejects with whatever ioredis rejects with. */
  async readOn(connection: Scripted, wishes: readonly Wish[], { bytes: most }: Page = EVERYTHING): Promise<LogPage> {
    const keys = [...this.#roots, ...wishes.map(({ topic }) => this.#names.events(topic))]
    const asked = wishes.flatMap(({ topic, after, count = Number.MAX_SAFE_INTEGER }) => [topic, after, count])
    const answer = await scripted(connection).readLogBuffer(keys.length, ...keys, newEpoch(), most, ...asked)
    const [epoch, seq, base, now, ...topics] = list(answer)
    const state: LogState = { epoch: text(epoch), seq: number(seq), base: number(base), now: number(now) }
    return {
      state,
      topics: wishes.map(({ topic }, index) => topicPage(topic, topics[index], state.epoch, this.#limits.age)),
    }
  }

  /** Begins a new life of the log in place of one that has lost events. */
  async renew({ epoch, seq }: Position): Promise<void> {
    const { control } = this.#names
    await this.#commands.ask('renew', client =>
      scripted(client).renewLogBuffer(2, ...this.#roots, newEpoch(), epoch, seq, this.#command, control, RENEWED),
    )
  }
}

/** Makes the log's scripts known to a connection. */
export function addScripts(client: Scripted): void {
  client.defineCommand('publishEvents', { lua: PUBLISH })
  client.defineCommand('readLog', { lua: READ })
  client.defineCommand('renewLog', { lua: RENEW })
}

// ioredis adds the commands as methods that its types cannot know of.
function scripted(client: Scripted): LogConnection {
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

function topicPage(topic: string, answer: unknown, epoch: string, age: number): TopicPage {
  const [last, entries, more] = list(answer)
  const events = list(entries).map(entry => {
    const [head, body] = list(entry)
    const [seq, previous, at] = text(head).split(' ')
    if (seq === undefined || previous === undefined || at === undefined) throw unexpected()
    const place = { epoch, seq: Number(seq), previous: predecessor(previous), at: Number(at), age }
    return loggedEvent(place, bytes(body))
  })
  return { topic, last: predecessor(text(last)), events, more: text(more) === '1' }
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
