import { setImmediate } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'
import type { Broker } from 'koa-event-stream'
import { CountingStore } from '../auth/session/site.ts'
import { openStream } from '../support/http.ts'
import { ManualClock } from '../support/manual-clock.ts'
import type { ReceivedStream } from '../support/received-stream.ts'
import { openInstance, type Instance } from './instance.ts'
import type { Login, Scheme } from './schemes.ts'
import type { Way } from './ways.ts'

/**
 * When the instance of the stream hears of what has been announced: before its request goes on, once that has been answered,
 * or never, which no broker may do.
 */
export type Hearing = 'in time' | 'late' | 'never'

export interface TableOptions {
  readonly scheme: Scheme
  /** Makes the broker of an instance, which resolves once it can be used. The instance where logins are ended may be the same. */
  readonly brokers: readonly [Broker, Broker?]
  readonly hearings: readonly Hearing[]
}

interface Cell {
  readonly moment: number
  readonly way: Way
  readonly hearing: Hearing
}

// Seconds, more than it takes a stream to look into the store of sessions again.
const LOOK_AGAIN = 300

/**
 * A scheme's table: each moment at which its request for a stream waits for something, and each way in which its login ends
 * meanwhile. In none of the cells anything is read that was published afterwards.
 */
export class Table {
  readonly #options: TableOptions
  readonly #here: Instance
  readonly #elsewhere: Instance
  readonly #sessions: CountingStore
  readonly #clock: ManualClock
  #users = 0

  private constructor(
    options: TableOptions,
    [here, elsewhere]: readonly [Instance, Instance],
    sessions: CountingStore,
    clock: ManualClock,
  ) {
    this.#options = options
    this.#here = here
    this.#elsewhere = elsewhere
    this.#sessions = sessions
    this.#clock = clock
  }

  static async open(t: ExecutionContext, options: TableOptions): Promise<Table> {
    const { scheme, brokers } = options
    const [sessions, clock] = [new CountingStore(), new ManualClock(Date.now())]
    const [own, other] = brokers
    const here = await openInstance(t, own, { scheme, sessions, clock })
    const elsewhere = other === undefined ? here : await openInstance(t, other, { scheme, sessions, clock })
    return new Table(options, [here, elsewhere], sessions, clock)
  }

  /** Runs every cell, and answers what is wrong with which. */
  async run(): Promise<{ readonly count: number; readonly moments: readonly string[]; readonly wrong: string[] }> {
    const { scheme, hearings } = this.#options
    const moments = await this.#findMoments()
    const wrong: string[] = []
    let count = 0
    for (const [moment, name] of moments.entries()) {
      for (const way of scheme.ways) {
        for (const hearing of way.isAnnounced ? hearings : hearings.slice(0, 1)) {
          const problem = await this.#try({ moment, way, hearing })
          if (problem !== undefined) wrong.push(`${name}: ${way.name}, heard ${hearing}: ${problem}`)
          count += 1
        }
      }
    }
    return { count, moments, wrong }
  }

  /** Opens a stream that nobody ends, and looks what it has waited for. The last moment is when the client reads it. */
  async #findMoments(): Promise<string[]> {
    const login = await this.#logIn()
    const { moments, hub } = this.#here
    moments.begin()
    const stream = await this.#ask(login)
    await stream.next(({ event }) => event === 'cursor')
    const passed = [...moments.passed]
    await hub.publish(`user:${login.id}`, { data: 'is read' })
    await stream.next(({ data }) => data === 'is read')
    stream.close()
    return [...passed, 'the stream is read']
  }

  async #try({ moment, way, hearing }: Cell): Promise<string | undefined> {
    const { moments, heard, hub } = this.#here
    const login = await this.#logIn()
    const pause = moments.begin(moment)
    const asked = this.#ask(login)
    // What is past the last one is open.
    const opened = asked.then(stream => stream.next(({ event }) => event === 'cursor')).catch(() => undefined)
    await Promise.race([pause.reached, opened])
    moments.letPass()
    const { count } = heard
    if (hearing !== 'in time') heard.hold()
    await way.end(this.#elsewhere, login, this.#sessions)
    if (way.isAnnounced) await heard.moreThan(count)
    pause.end()
    const stream = await asked
    if (hearing === 'never') heard.forget()
    else heard.release()
    await opened
    if (!way.isAnnounced) await this.#lookAgain(stream)
    await hub.publish(`user:${login.id}`, { data: 'secret' })
    await hub.publish('everybody', { data: 'still here' })
    return outcomeOf(stream, way)
  }

  /** Lets time pass, a second at a turn, until a stream has found out that its login has ended. */
  async #lookAgain(stream: ReceivedStream): Promise<void> {
    const ended = new AbortController()
    void stream.closed.then(() => {
      ended.abort()
    })
    for (let second = 0; !ended.signal.aborted && second < LOOK_AGAIN; second += 1) {
      this.#clock.advance(1_000)
      await setImmediate()
    }
  }

  #logIn(): Promise<Login> {
    this.#users += 1
    return this.#options.scheme.logIn(this.#here.url, `user-${this.#users}`)
  }

  #ask({ path, headers }: Login): Promise<ReceivedStream> {
    return openStream(this.#here.url + path, { headers })
  }
}

/** What is wrong with a stream, if anything is: it must have ended without what was published to its user. */
async function outcomeOf(stream: ReceivedStream, way: Way): Promise<string | undefined> {
  const { status } = stream
  try {
    const { data } = await stream.next(event => event.data === 'secret' || event.data === 'still here')
    if (data === 'secret') return `what was published afterwards was read (${status})`
    // Who is in the session by now may have a stream, which is not of the former user.
    return way.isAnnounced ? `the stream is still open (${status})` : undefined
  } catch {
    return undefined
  } finally {
    stream.close()
  }
}
