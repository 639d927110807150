import { randomUUID } from 'node:crypto'
import type { Cluster, Redis } from 'ioredis'
import { EventStreamError } from '../../errors.ts'
import { REMEMBERED_KEYS, type HistoryPolicy } from '../history-policy.ts'
import { parseCursor, type Position } from '../../wire/cursor.ts'
import type { Appended, LogPage, LogState, Outgoing, Page, TopicPage, Wish } from '../replica/log-engine.ts'
import { bytes, integer, list, number, text, unexpected } from './answers.ts'
import type { PublishCommand } from './client.ts'
import type { Commands } from './commands.ts'
import { RENEWED } from './control.ts'
import { redisFailure } from './failure.ts'
import type { LogNames } from './keys.ts'
import { formatHeaders, loggedEvent, predecessor } from './message.ts'
import { FORMAT, PUBLISH, READ, RENEW, TRY, WRONG_FORMAT } from './scripts.ts'

/** A connection with the log's scripts. Replies are bytes. */
export interface LogConnection {
  publishEventsBuffer(keys: number, ...args: (string | number | Uint8Array)[]): Promise<unknown>
  readLogBuffer(keys: number, ...args: (string | number)[]): Promise<unknown>
  renewLogBuffer(keys: number, ...args: (string | number)[]): Promise<unknown>
  tryLogBuffer(keys: number, ...args: string[]): Promise<unknown>
}

const EVERYTHING: Page = { bytes: Number.MAX_SAFE_INTEGER }

/** A connection that has the log's scripts. */
export type Scripted = Redis | Cluster

/** The log in Redis: typed access to its scripts. Every call rejects with `ERR_BROKER` on failure. */
export class Log {
  readonly #commands: Commands
  readonly #names: LogNames
  readonly #policy: HistoryPolicy
  readonly #command: PublishCommand
  readonly #roots: readonly [string, string]

  constructor(commands: Commands, names: LogNames, policy: HistoryPolicy, command: PublishCommand) {
    this.#commands = commands
    this.#names = names
    this.#policy = policy
    this.#command = command
    this.#roots = [names.log, names.guard]
    addScripts(commands.client)
  }

  /** Publishes events, and returns a place or an error for each. */
  async append(events: readonly Outgoing[]): Promise<(Appended | Error)[]> {
    const numbers = new Map<string, number>()
    const said = events.flatMap(event => argumentsOf(event, numbers))
    const names = [...numbers.keys()]
    const { keys: used, keyOrder } = this.#names
    const keys = [...this.#roots, used, keyOrder, ...names.flatMap(topic => this.#keysOf(topic))]
    const kept = names.flatMap(topic => [this.#names.channel(topic), this.#limitsOf(topic)])
    const answer = await this.#commands.ask('publish', client =>
      this.#answer(
        scripted(client).publishEventsBuffer(
          keys.length,
          ...keys,
          newEpoch(),
          this.#command,
          REMEMBERED_KEYS,
          ...kept,
          ...said,
        ),
      ),
    )
    const [state = '', ...places] = text(answer).split('\n')
    const [epoch = '', now] = state.split(' ')
    const at = integer(now)
    return places.map(place => appended(epoch, at, place))
  }

  /** Reads the log's state, and for each topic its end and a page of the wanted events. */
  async read(wishes: readonly Wish[], page?: Page): Promise<LogPage> {
    return this.#commands.ask('read', client => this.readOn(client, wishes, page))
  }

  /** The same, on a given connection that has the scripts. Rejects with ioredis' errors. */
  async readOn(connection: Scripted, wishes: readonly Wish[], { bytes: most }: Page = EVERYTHING): Promise<LogPage> {
    const keys = [...this.#roots, ...wishes.flatMap(({ topic }) => this.#keysOf(topic))]
    const asked = wishes.flatMap(({ after, count = Number.MAX_SAFE_INTEGER }) => [after, count])
    const answer = await this.#answer(
      scripted(connection).readLogBuffer(keys.length, ...keys, newEpoch(), most, ...asked),
    )
    const [epoch, seq, base, now, ...topics] = list(answer)
    const state: LogState = { epoch: text(epoch), seq: number(seq), base: number(base), now: number(now) }
    return {
      state,
      topics: wishes.map(({ topic }, index) => topicPage(topic, topics[index], state.epoch)),
    }
  }

  /** Begins a new epoch of a log that has lost events. */
  async renew({ epoch, seq }: Position): Promise<void> {
    const { control } = this.#names
    await this.#commands.ask('renew', client =>
      this.#answer(
        scripted(client).renewLogBuffer(2, ...this.#roots, newEpoch(), epoch, seq, this.#command, control, RENEWED),
      ),
    )
  }

  /** Performs the steps of a publish, without a topic. If it fails, every publish fails. */
  async tryWriting(): Promise<void> {
    await this.#commands.ask('publish', client =>
      this.#answer(scripted(client).tryLogBuffer(3, ...this.#roots, this.#names.probe, newEpoch())),
    )
  }

  #keysOf(topic: string): [string, string] {
    return [this.#names.events(topic), this.#names.last(topic)]
  }

  #limitsOf(topic: string): string {
    const { count, bytes, age } = this.#policy.limitsOf(topic)
    return `${String(count)} ${String(bytes)} ${String(age)}`
  }

  async #answer(answer: Promise<unknown>): Promise<unknown> {
    try {
      return await answer
    } catch (error) {
      throw isOfFormat(error) ? wrongFormat(this.#names, error.message) : error
    }
  }
}

/** Defines the log's scripts on a connection. */
export function addScripts(client: Scripted): void {
  client.defineCommand('publishEvents', { lua: PUBLISH })
  client.defineCommand('readLog', { lua: READ })
  client.defineCommand('renewLog', { lua: RENEW })
  client.defineCommand('tryLog', { lua: TRY })
}

// ioredis adds the commands as methods that its types do not know.
function scripted(client: Scripted): LogConnection {
  return client as unknown as LogConnection
}

/** The lines, and the numbers of the topics; then the key and the headers, if any. */
function argumentsOf({ topics, body, key, headers }: Outgoing, numbers: Map<string, number>): (string | Uint8Array)[] {
  const about = topics.map(topic => numberOf(topic, numbers)).join(' ')
  if (key === undefined && headers === undefined) return [body, about]
  return [
    body,
    `${about}${key === undefined ? '' : 'k'}${headers === undefined ? '' : 'h'}`,
    ...(key === undefined ? [] : [key]),
    ...(headers === undefined ? [] : [formatHeaders(headers)]),
  ]
}

function numberOf(topic: string, numbers: Map<string, number>): number {
  const number = numbers.get(topic) ?? numbers.size + 1
  numbers.set(topic, number)
  return number
}

function appended(epoch: string, at: number, place: string): Appended | Error {
  if (place.startsWith('!')) return redisFailure('publish', new Error(place.slice(1)))
  if (place.includes('-')) return repeated(place)
  const [seq, ...previous] = place.split(' ')
  return { epoch, seq: integer(seq), at, isRepeat: false, previous: previous.map(predecessor) }
}

function newEpoch(): string {
  return randomUUID().slice(-12)
}

function repeated(place: string): Appended {
  const [id = '', at, ...previous] = place.split(' ')
  const position = parseCursor(id)
  if (typeof position !== 'object') throw unexpected()
  const known = previous.map(before => (before === '-' ? undefined : predecessor(before)))
  return { ...position, at: integer(at), isRepeat: true, previous: known }
}

function topicPage(topic: string, answer: unknown, epoch: string): TopicPage {
  const [last, entries, more, next] = list(answer)
  const events = list(entries).map(entry => {
    const [head, body] = list(entry)
    const [seq, previous, at, , headers] = text(head).split(' ')
    if (seq === undefined || previous === undefined || at === undefined) throw unexpected()
    const place = { epoch, seq: Number(seq), previous: predecessor(previous), at: Number(at) }
    return loggedEvent(place, bytes(body), headers)
  })
  const page = { topic, last: predecessor(text(last)), events, more: text(more) === '1' }
  if (next === undefined || next === null) return page
  const [previous = '', at] = text(next).split(' ')
  return { ...page, next: { previous: predecessor(previous), at: integer(at) } }
}

function isOfFormat(error: unknown): error is Error {
  return error instanceof Error && error.message.startsWith(WRONG_FORMAT)
}

function wrongFormat({ log }: LogNames, message: string): EventStreamError {
  const format = /\d+/.exec(message)?.[0] ?? 'unknown'
  return new EventStreamError(
    'ERR_BROKER',
    `the log at ${log} has format ${format}, from another version of koa-event-stream; this version requires format ${FORMAT}: ` +
      `set another \`name\`, or stop the other version everywhere and delete ${log}`,
  )
}
