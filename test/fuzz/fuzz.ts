import type { Server } from 'node:http'
import type { Http2Server, ServerHttp2Session } from 'node:http2'
import Koa from 'koa'
import type { HubStats } from 'koa-event-stream'
import { Random } from '../support/random.ts'
import { serve, serveHttp2, type Served } from '../support/server.ts'
import { furnish, type Application } from './application.ts'
import { visit } from './http1.ts'
import { visitHttp2 } from './http2.ts'
import { LeapingClock } from './leaping-clock.ts'
import { Mischief } from './mischief.ts'
import { connections, nothingLeft } from './nothing-left.ts'
import { randomRequest } from './random-request.ts'
import { Supervision } from './supervision.ts'
import { Wallet } from './wallet.ts'

// Clients that are at it at once.
const CLIENTS = 48
const MOST_PIPELINED = 5
const HTTP2_SHARE = 0.1
const HOUR = 3_600_000

const STATUS = /^HTTP\/\S+ (\d{3}) /gm

/** An application with everything on, and clients that ask it for random things. */
export class Fuzz {
  /** What clients were answered; `none` is what was asked by those who left first. */
  readonly answers = new Map<string, number>()
  readonly #seed: number
  readonly #clock = new LeapingClock()
  readonly #application: Application
  readonly #supervision: Supervision
  readonly #wallet = new Wallet(this.#clock)
  readonly #servers: Promise<readonly [Served<Server>, Served<Http2Server>]>
  readonly #sessions = new Set<ServerHttp2Session>()
  #asked = 0

  /** @param seed of all choices, though not of the moments at which they take effect */
  constructor(seed: number, app = new Koa()) {
    this.#seed = seed
    this.#application = furnish(app, this.#clock, new Random(seed))
    this.#supervision = new Supervision(app, this.#application.hub)
    const { listener } = this.#supervision
    this.#servers = Promise.all([serve(listener), serveHttp2(listener).then(served => this.#keepSessions(served))])
  }

  /** All that must not happen, and did. */
  get failures(): readonly string[] {
    return [...this.#supervision.failures]
  }

  /** How many requests reached the application, by what it answered. */
  get statuses(): ReadonlyMap<number, number> {
    return this.#supervision.statuses
  }

  get stats(): HubStats {
    return this.#application.hub.stats()
  }

  /** Sends so many requests, and waits until nothing is left of them. */
  async run(count: number): Promise<void> {
    const end = this.#asked + count
    const mischief = new Mischief(this.#application, this.#clock, new Random(this.#seed ^ end))
    const client = async () => {
      while (this.#asked < end) await this.#visit(end - this.#asked)
    }
    await Promise.all(Array.from({ length: CLIENTS }, client))
    await mischief.stop()
    await this.#settle()
  }

  /** Stops everything. */
  async close(): Promise<void> {
    for (const server of await this.#servers) await server.close()
    await this.#application.hub.close()
    this.#supervision.stop()
  }

  #keepSessions(served: Served<Http2Server>): Served<Http2Server> {
    served.server.on('session', session => {
      this.#sessions.add(session)
      session.once('close', () => this.#sessions.delete(session))
    })
    return served
  }

  async #visit(left: number): Promise<void> {
    const random = new Random(this.#seed + this.#asked)
    const count = random.chance(0.15) ? Math.min(left, random.between(2, MOST_PIPELINED)) : 1
    this.#asked += count
    const requests = Array.from({ length: count }, () => randomRequest(random, this.#wallet))
    const [http1, http2] = await this.#servers
    const answer = random.chance(HTTP2_SHARE)
      ? await visitHttp2(http2.url, requests, random)
      : await visit(http1.port, requests, random)
    this.#wallet.collect(answer)
    const statuses = [...answer.matchAll(STATUS)].map(([, status = '']) => status)
    while (statuses.length < count) statuses.push('none')
    for (const status of statuses) this.answers.set(status, (this.answers.get(status) ?? 0) + 1)
  }

  async #settle(): Promise<void> {
    await nothingLeft(this.#asked, () => {
      const { streams, topics, identities, addresses, bufferedBytes } = this.stats
      return { streams, topics, identities, addresses, bufferedBytes }
    })
    const [http1, http2] = await this.#servers
    await nothingLeft(this.#asked, async () => {
      // Only now, as the library must not need it. Node keeps a connection for ever whose client resets a request without
      // an error just as its answer is written: the session waits for that to go out, and does not look at its socket.
      for (const session of this.#sessions) if (session.closed) session.destroy()
      return { http1: await connections(http1.server), http2: await connections(http2.server) }
    })
    await this.#forget()
  }

  // What the broker and the sessions remember has its time, which is over now.
  async #forget(): Promise<void> {
    const { broker, hub, store } = this.#application
    store.sessions.clear()
    this.#clock.leap(HOUR)
    await hub.publish('the-end', { data: '' })
    for (let n = 0; n < this.#asked; n += 1) await broker.store.set('the-end', '', 1)
  }
}
