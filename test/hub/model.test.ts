import test from 'ava'
import { memoryBroker } from 'koa-event-stream'
import { ModelClient, type Published } from './model-client.ts'
import { openSite } from './site.ts'

const ROUNDS = 400
const TOPICS = ['a', 'b', 'c', 'd', 'e']
const BIG = 'big'
const BIG_CLIENTS = 3

/** Numbers from 0 to 1 that a seed decides (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

test('whatever happens to clients, they get every event of theirs once, in order, or are told of a gap', async t => {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32))
  t.log(`SEED=${seed}`)
  const random = randomFrom(seed)
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T
  const some = (items: readonly string[]) => items.filter(() => random() < 0.4)

  const { hub, publish, url, isEmpty } = await openSite(t, {
    hub: { broker: memoryBroker({ history: { count: 60 } }) },
    buffer: { bytes: 524_288 },
    retry: 500,
    limits: { identity: 1_000 },
  })
  const log: Published[] = []
  const say = async (topics: readonly string[], text: string) => {
    const [id = ''] = await publish(topics, text)
    const seq = Number(id.split('-')[1])
    log.push({ seq, topics })
    return seq
  }
  const clients = Array.from({ length: 40 }, (_, n) => {
    const own = some(TOPICS)
    // A few with much to read, so that those that stall fill the kernel's buffers and then their own.
    return new ModelClient(url, n < BIG_CLIENTS ? [...own, BIG] : own.length > 0 ? own : [pick(TOPICS)])
  })
  for (const client of clients) client.connect()

  for (let round = 0; round < ROUNDS; round += 1) {
    for (let n = Math.floor(random() * 8); n > 0; n -= 1) {
      await say(random() < 0.2 ? [...new Set([pick(TOPICS), pick(TOPICS)])] : [pick(TOPICS)], `${round}`)
    }
    if (random() < 0.5) await say([BIG], 'x'.repeat(200_000))
    for (const [n, client] of clients.entries()) {
      const fate = random()
      if (fate < 0.02) client.cut()
      else if (fate < 0.03) client.stall()
      else if (fate < (n < BIG_CLIENTS ? 0.034 : 0.05)) client.resume()
    }
    if (random() < 0.7) await new Promise(setImmediate)
  }
  for (const client of clients) client.resume()
  const end = await say([...TOPICS, BIG], 'end')
  await Promise.all(clients.map(client => client.reaches(end)))
  for (const client of clients) client.leave()
  await isEmpty()

  for (const client of clients) client.check(log)
  t.deepEqual(
    clients.flatMap(({ complaints }) => complaints.slice(0, 3)),
    [],
  )
  const { closed, gaps, opened } = hub.stats()
  t.log(`${log.length} events, ${opened} streams, ${closed.slow} of them too slow, ${gaps} gaps`)
  t.true(opened > 2 * clients.length && gaps > 0, 'it was not put to the test')
})
