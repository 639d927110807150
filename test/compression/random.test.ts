import { randomBytes } from 'node:crypto'
import test from 'ava'
import type { EventStream } from 'koa-event-stream'
import { Random, seedOf } from '../support/random.ts'
import type { Client } from './client.ts'
import { openSite, quote, type Site } from './site.ts'

const STEPS = 250
const TOPICS = ['news', 'room:1', 'room:2', 'room:3']
const seed = seedOf(process.env)

/** A compressed client and a plain one, for whom the same is done. */
interface Pair {
  readonly name: string
  readonly topics: Set<string>
  readonly clients: readonly [compressed: Client, plain: Client]
  readonly streams: readonly EventStream[]
}

for (const http2 of [false, true]) {
  test(`whatever happens, compressed clients get what plain ones do (HTTP/${http2 ? '2' : '1.1'}, SEED=${seed})`, async t => {
    const random = new Random(seed)
    const streams = new Map<string, EventStream>()
    const site = await openSite(
      t,
      {
        limits: { identity: 1_000 },
        subscribe: (stream, ctx) => {
          streams.set(ctx.get('x-key'), stream)
          return ctx.get('x-topics').split(' ')
        },
      },
      { http2 },
    )
    const run = new Run(site, random, streams)
    for (let n = 0; n < 4; n += 1) await run.enter()
    for (let n = 0; n < STEPS; n += 1) await run.step()
    await run.settle()
    await site.hub.drain()
    t.true(run.left.length > STEPS / 20)
    for (const { clients } of run.present)
      t.deepEqual(await Promise.all(clients.map(({ closed }) => closed)), ['end', 'end'])
    for (const { name, clients } of [...run.left, ...run.present]) {
      const [compressed, plain] = clients
      t.true(compressed.isCompressed)
      t.deepEqual(compressed.blocks, plain.blocks, name)
    }
    const bytes = (pick: 0 | 1) =>
      [...run.left, ...run.present].reduce((sum, { clients }) => sum + clients[pick].wireBytes, 0)
    t.log(`${run.left.length + run.present.length} pairs, ${bytes(0)} bytes for ${bytes(1)}`)
  })
}

/** Does something with the pairs, again and again. */
class Run {
  readonly present: Pair[] = []
  readonly left: Pair[] = []
  readonly #site: Site
  readonly #random: Random
  readonly #streams: Map<string, EventStream>
  #count = 0

  constructor(site: Site, random: Random, streams: Map<string, EventStream>) {
    this.#site = site
    this.#random = random
    this.#streams = streams
  }

  async step(): Promise<void> {
    const pair = this.#random.pick(this.present)
    const dice = this.#random.next()
    if (dice < 0.6) await this.#burst()
    else if (dice < 0.68) await this.#changeTopics(pair)
    else if (dice < 0.76) await this.enter()
    else if (dice < 0.82) await this.#comeBack(pair)
    else if (dice < 0.92) this.#toggle(pair)
    else if (this.present.length > 3) await this.#leave(pair)
  }

  async enter(name = `person ${this.#random.between(0, 6)}`, topics?: Set<string>, last: string[] = []): Promise<void> {
    const chosen = topics ?? new Set([...this.#random.some(TOPICS), `user:${name.at(-1)}`])
    const keys = [`${(this.#count += 1)}`, `${(this.#count += 1)}`] as const
    const open = (index: 0 | 1): Promise<Client> =>
      this.#site.open(name.replace(' ', '-'), {
        encoding: index === 0 ? 'gzip' : 'identity',
        headers: {
          'x-key': keys[index],
          'x-topics': [...chosen].join(' '),
          ...(last.length > 0 && { 'last-event-id': last[index] ?? '' }),
        },
      })
    const clients = [await open(0), await open(1)] as const
    this.present.push({
      name,
      topics: chosen,
      clients,
      streams: keys.flatMap(key => this.#streams.get(key) ?? []),
    })
  }

  /** Waits until everybody has got everything. */
  async settle(): Promise<void> {
    const id = await this.#site.hub.publish([...TOPICS, ...this.#users], { data: 'settled' })
    for (const { clients } of this.present) for (const client of clients) client.resume()
    await Promise.all(
      this.present.flatMap(({ clients, topics }) =>
        topics.size === 0 ? [] : clients.map(client => client.shows(`id: ${id}\n`)),
      ),
    )
  }

  get #users(): string[] {
    return Array.from({ length: 6 }, (_, n) => `user:${n}`)
  }

  // Some events and own sends, most of them in one turn.
  async #burst(): Promise<void> {
    const published: Promise<unknown>[] = []
    for (let n = this.#random.between(1, 5); n > 0; n -= 1) {
      const dice = this.#random.next()
      const pair = this.#random.pick(this.present)
      const { streams } = pair
      if (dice < 0.12) for (const stream of streams) void stream.send({ data: `own ${this.#count}` })
      else if (dice < 0.16) for (const stream of streams) stream.comment('a comment')
      else if (dice < 0.2) await this.#write(pair)
      else
        published.push(this.#site.hub.publish(this.#random.some([...TOPICS, ...TOPICS, ...this.#users]), this.#event()))
      if (this.#random.chance(0.2)) await new Promise(setImmediate)
    }
    await Promise.all(published)
  }

  // A write that waits for room lets what comes later pass.
  async #write({ clients, streams }: Pair): Promise<void> {
    for (const client of clients) client.resume()
    await Promise.all(streams.map(stream => new Promise(resolve => stream.write(': in\ndata: pieces\n\n', resolve))))
  }

  #event(): { data: unknown } {
    const dice = this.#random.next()
    if (dice < 0.9) return quote((this.#count += 1))
    return { data: dice < 0.96 ? 'x'.repeat(this.#random.between(1, 70_000)) : randomBytes(20_000).toString('hex') }
  }

  async #changeTopics({ streams, topics }: Pair): Promise<void> {
    const topic = this.#random.pick(TOPICS)
    // What still waits for one of the two would be taken back from that one alone.
    await this.settle()
    if (topics.delete(topic)) for (const stream of streams) stream.unsubscribe(topic)
    else {
      topics.add(topic)
      await Promise.all(streams.map(stream => stream.subscribe(topic)))
    }
  }

  #toggle({ clients }: Pair): void {
    const client = this.#random.pick(clients)
    if (this.#random.chance(0.6)) client.pause()
    else client.resume()
  }

  async #leave(pair: Pair): Promise<void> {
    await this.settle()
    for (const client of pair.clients) client.close()
    this.present.splice(this.present.indexOf(pair), 1)
    this.left.push(pair)
  }

  async #comeBack(pair: Pair): Promise<void> {
    await this.#leave(pair)
    await this.#burst()
    await this.enter(
      pair.name,
      pair.topics,
      pair.clients.map(({ lastId }) => lastId),
    )
  }
}
