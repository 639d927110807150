import { parseJson } from '../client/own-event.ts'
import type { TestDoor } from '../koa/test-door.ts'
import type { EventMap } from '../wire/event.ts'
import type { Gap } from '../wire/notices.ts'
import { Attempt, type Block } from './attempt.ts'
import type { StreamRequest } from './connection.ts'
import { Fence, isOfKit } from './fence.ts'
import { Journal } from './journal.ts'
import type { Visit } from './visits.ts'

/** An event that has come. Data that is JSON is parsed, and data that is empty `undefined`. */
export type TestEvent<Events extends object = EventMap> = string extends keyof Events
  ? AnyEvent
  : { [Name in keyof Events & string]: NamedEvent<Name, Events[Name]> }[keyof Events & string]

interface NamedEvent<Name extends string, Data> {
  readonly event: Name
  readonly data: Data
  /** Its id, or that of the last one before it. */
  readonly id: string
}

type AnyEvent = NamedEvent<string, unknown>

/** The data of an event of this name. */
type DataOf<Events extends object, Name> = Name extends keyof Events ? Events[Name] : unknown

/** How long to wait. */
export interface WaitOptions {
  /** Milliseconds. Default: those of the site. */
  readonly within?: number
}

export interface TestStreamParts {
  readonly door: TestDoor
  /** Whose stream of what: for messages. */
  readonly name: string
  /** Milliseconds that a wait may take. */
  readonly within: number
  /** Where the first connection goes on from, if anywhere. */
  readonly lastEventId: string | undefined
  /** Announces one more connection of the stream. */
  readonly announce: () => Visit
  readonly requestOf: (visit: Visit, lastEventId: string | undefined) => StreamRequest
}

/**
 * A client of a stream. It does nothing by itself: it comes back when `resume()` is called.
 *
 * Events that have the names of the library's own (`cursor`, `gap`, `goaway`, `heartbeat`) are not among `events`, but for
 * `presence`, which is told as any.
 */
export class TestStream<Events extends object = EventMap> {
  /** What was missing, as the stream has told. */
  readonly gaps: Gap[] = []
  /** Comments that have come: an empty one is a heartbeat. */
  readonly comments: string[] = []

  readonly #parts: TestStreamParts
  readonly #events: Journal<AnyEvent>
  readonly #fence: Fence
  #takenComments = 0
  #attempt: Attempt
  #cursor: string

  constructor(parts: TestStreamParts) {
    this.#parts = parts
    this.#cursor = parts.lastEventId ?? ''
    this.#events = new Journal(() => this.#saying())
    this.#fence = new Fence(parts.door, this.#events)
    this.#attempt = this.#newAttempt()
  }

  /** All events that have come, of all connections, whether they have been waited for or not. */
  get events(): readonly TestEvent<Events>[] {
    // What the map says of the application's events is for its own publishes to be held to.
    return this.#events.entries as unknown as readonly TestEvent<Events>[]
  }

  /** The `id` of the stream, as the hub knows it; another one after `resume()`. Empty where it carries a source and no topics. */
  get id(): string {
    return this.#attempt.id
  }

  /** The last id that has come: what `Last-Event-ID` will be. */
  get cursor(): string {
    return this.#cursor
  }

  /**
   * Resolves when the connection has ended: with the reason that the server gave in its last block, such as `logout`; `end`
   * where the response ended without one; `cut` where the connection broke, or `client` where `close()` was called.
   */
  get closed(): Promise<string> {
    return this.#attempt.closed
  }

  /**
   * Waits for an event of a name, or of any. Each event is answered once, those of another name are left for other calls.
   *
   * @throws {Error} as a rejection, with what has come instead: when the stream ends, or after `within`
   */
  next<Name extends keyof Events & string>(
    event: Name,
    options?: WaitOptions,
  ): Promise<NamedEvent<Name, DataOf<Events, Name>>>
  next(event?: undefined, options?: WaitOptions): Promise<TestEvent<Events>>
  next(name?: string, { within = this.#parts.within }: WaitOptions = {}): Promise<unknown> {
    const fits = (entry: AnyEvent): entry is AnyEvent => name === undefined || entry.event === name
    const what = name === undefined ? 'an event' : `\`${name}\``
    return this.#events.take(fits, () => this.#ending(), { what, within })
  }

  /**
   * Waits for the next comment, such as a heartbeat.
   *
   * @throws {Error} as `next()`
   */
  comment({ within = this.#parts.within }: WaitOptions = {}): Promise<string> {
    const find = (): string | undefined => {
      const comment = this.comments[this.#takenComments]
      if (comment !== undefined) this.#takenComments += 1
      return comment
    }
    return this.#events.until(find, () => this.#ending(), { what: 'a comment', within })
  }

  /**
   * A fence: what has not come once it has resolved will not come. So `await ada.settled()` and then a look at `ada.events`
   * shows that something did not come, without waiting for it.
   *
   * It promises that of all that was published to the stream's topics before the call, on whatever instance, and of all that
   * the application had sent to the stream by then: every such event has come, or was told as a gap. `publish` must have
   * resolved, by whatever way the application takes to it: of what is still at work nobody can tell.
   *
   * It is no matter of time. An event goes the same way behind the others: through the broker into the log, and by this
   * instance's copy of it to the stream, which has a topic of its own for that. A stream sends nothing of its topics out of the
   * log's order, so what is before that event in the log has come before it. Where it is lost with others, as a log may be or a
   * slow client's events, the stream tells a gap of that topic, too, and another one is sent. Once the connection has ended
   * nothing more comes on it.
   *
   * @throws {TypeError} as a rejection, for a stream without topics: only its source knows what it will bring
   * @throws {EventStreamError} as a rejection: `ERR_BROKER`, where the broker cannot be reached
   */
  async settled({ within = this.#parts.within }: WaitOptions = {}): Promise<void> {
    await this.#fence.pass(this.#attempt, { what: 'the stream to settle', within })
  }

  /** Breaks the connection as a network does. Resolves once the server knows. Nothing that is still on its way comes. */
  async cut(): Promise<void> {
    await this.#attempt.leave('cut')
  }

  /**
   * Comes back with the last id that has come.
   *
   * @returns once the subscription stands, and what was missed has come
   * @throws as `site.open()`; {Error} as a rejection, if the connection stands
   */
  async resume(): Promise<void> {
    if (this.#attempt.reason === undefined) {
      throw new Error(`${this.#parts.name} is connected: call \`cut()\` first, or wait for \`closed\``)
    }
    this.#attempt = this.#newAttempt()
    await this.connect()
  }

  /** Leaves, as a page does that is closed. Resolves once the server knows. */
  async close(): Promise<void> {
    await this.#attempt.leave('client')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** @internal */
  async connect(): Promise<void> {
    const { requestOf, within } = this.#parts
    const { visit } = this.#attempt
    const lastEventId = this.#cursor === '' ? undefined : this.#cursor
    try {
      await this.#attempt.open(requestOf(visit, lastEventId), within)
    } catch (error) {
      await this.close()
      throw error
    }
  }

  #newAttempt(): Attempt {
    return new Attempt(this.#parts.announce(), {
      block: block => {
        this.#read(block)
      },
      comment: text => {
        this.comments.push(text)
        this.#events.announce()
      },
      ended: () => {
        this.#events.announce()
      },
    })
  }

  #read({ event, data, id }: Block): void {
    if (id !== undefined) this.#cursor = id
    if (data === undefined) return
    if (event === 'gap') this.#told(parseJson(data) as Gap)
    else if (isOfKit(event)) this.#fence.came(data)
    else if (!OWN.has(event)) this.#events.add({ event, data: parseJson(data), id: this.#cursor })
  }

  #told({ topics, reason }: Gap): void {
    this.#fence.lost(topics)
    const own = topics.filter(topic => !isOfKit(topic))
    if (own.length > 0) this.gaps.push({ topics: own, reason })
    this.#events.announce()
  }

  #ending(): string | undefined {
    const { reason } = this.#attempt
    return reason === undefined ? undefined : `${this.#parts.name} has ended (\`${reason}\`)`
  }

  #saying(): string {
    const { name } = this.#parts
    const shown = this.#events.entries.slice(-SHOWN).map(({ event, data }) => `${event} ${shortened(data)}`)
    const more = this.#events.entries.length - shown.length
    const events = shown.length === 0 ? 'nothing' : shown.join(', ')
    const gaps = this.gaps.map(({ topics, reason }) => `; a gap \`${reason}\` of ${topics.join(', ')}`).join('')
    return `What has come by ${name}: ${more > 0 ? `${more} events, and then ` : ''}${events}${gaps}`
  }
}

const OWN: ReadonlySet<string> = new Set(['cursor', 'goaway', 'heartbeat'])

// How many events a message shows, and how many characters of each.
const SHOWN = 10
const SHOWN_LENGTH = 80

function shortened(data: unknown): string {
  const text = data === undefined ? '' : JSON.stringify(data)
  return text.length <= SHOWN_LENGTH ? text : `${text.slice(0, SHOWN_LENGTH)}…`
}
