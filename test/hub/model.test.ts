import test from 'ava'
import { memoryBroker } from 'koa-event-stream'
import { ModelClient } from '../support/model-client.ts'
import { ModelLog } from '../support/model-log.ts'
import { complaintsOf } from '../support/oracle.ts'
import { Random, seedOf } from '../support/random.ts'
import { openSite } from './site.ts'

const ROUNDS = 400
const TOPICS = ['a', 'b', 'c', 'd', 'e']
const BIG = 'big'
const BIG_CLIENTS = 3
const KEPT = 60

test('whatever happens to clients, they get every event of theirs once, in order, or are told of a gap', async t => {
  const seed = seedOf(process.env)
  t.log(`SEED=${seed}`)
  const random = new Random(seed)
  const { hub, url, isEmpty } = await openSite(t, {
    hub: { broker: memoryBroker({ history: { count: KEPT, bytes: 2 ** 26 } }) },
    buffer: { bytes: 524_288 },
    retry: 500,
    limits: { identity: 1_000 },
  })
  const log = new ModelLog()
  const clients = Array.from({ length: 40 }, (_, n) => {
    const own = TOPICS.filter(() => random.chance(0.4))
    // A few with much to read, so that those that stall fill the kernel's buffers and then their own.
    const topics = n < BIG_CLIENTS ? [...own, BIG] : own.length > 0 ? own : [random.pick(TOPICS)]
    return new ModelClient({ topics, log, server: () => url })
  })
  for (const client of clients) client.connect()

  // Whether clients come back between two rounds is the machine's affair.
  const isPutToTheTest = () => hub.stats().opened > 2 * clients.length && hub.stats().gaps > 0
  for (let round = 0; round < ROUNDS || !isPutToTheTest(); round += 1) {
    for (let n = random.between(0, 8); n > 0; n -= 1) {
      await log.say(hub, random.chance(0.2) ? random.some(TOPICS) : [random.pick(TOPICS)])
    }
    if (random.chance(0.5)) await log.say(hub, [BIG], 'x'.repeat(200_000))
    for (const [n, client] of clients.entries()) {
      const fate = random.next()
      if (fate < 0.02) client.cut()
      else if (fate < 0.03) client.stall()
      else if (fate < (n < BIG_CLIENTS ? 0.034 : 0.05)) client.resume()
    }
    if (random.chance(0.7)) await new Promise(setImmediate)
  }
  for (const client of clients) client.resume()
  const end = (await log.say(hub, [...TOPICS, BIG])) ?? Infinity
  await Promise.all(clients.map(client => client.reaches(end)))
  for (const client of clients) client.leave()
  await isEmpty()

  t.deepEqual(
    clients.flatMap(client => complaintsOf(client, log, KEPT).slice(0, 3)),
    [],
  )
  const { closed, gaps, opened } = hub.stats()
  t.log(`${log.published.length} events, ${opened} streams, ${closed.slow} of them too slow, ${gaps} gaps`)
})
