import { setTimeout as pause } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { createPublisher } from 'koa-event-stream/redis'
import { eventually } from '../../support/eventually.ts'
import { raw, type RawSocket, type ReceivedStream } from '../../support/http.ts'
import type { Scope } from '../../support/scope.ts'
import { topics, type Events } from '../../../demo/events.ts'
import type { Cluster } from '../cluster.ts'
import { PASSWORDS, Visitor, type User } from '../site.ts'

/** Milliseconds between two rounds of what visitors do. */
const PACE = 1_000
const LARGE = { id: 'n', at: 0, text: 'x'.repeat(200_000), read: false, unread: 1 }

/** Visitors who order, ask, come and go, one that does not read, and a lost connection to Redis, until it is enough. */
export async function visit(
  scope: Scope,
  { url, instances }: Cluster,
  redisUrl: string,
  isEnough: (round: number) => boolean | Promise<boolean>,
): Promise<void> {
  const redis = new Redis(redisUrl)
  scope.teardown(async () => redis.disconnect())
  const publisher = createPublisher<Events>({ client: redisUrl, name: 'quayside' })
  scope.teardown(() => publisher.close())
  const [ada, grace, joan] = [await loggedIn(url, 'ada'), await loggedIn(url, 'grace'), await loggedIn(url, 'joan')]
  const instance = Number([...instances.keys()][0]?.split(':')[1])
  let slow: RawSocket | undefined
  const streams: ReceivedStream[] = []

  for (let round = 0; !(await isEnough(round)); round += 1) {
    const visitor = round % 2 === 0 ? ada : grace
    for (let n = 0; n <= round % 3; n += 1) streams.push(await visitor.openStream('/events?market'))
    await visitor.post('/orders', { lot: 'nyeri', bags: '11' })
    if (round % 4 === 0) await visitor.ask(round % 8 === 0 ? 'Tell me the story of coffee' : 'What does Huila cost?')
    if (round % 3 === 2) await comeBack(visitor, streams)
    // A session that is none, and an id that no log has given.
    ;(await new Visitor(url).openStream()).close()
    if (round % 5 === 3) streams.push(await visitor.openStream('/events', { 'last-event-id': 'unknown' }))
    if (round % 20 > 4) while (streams.length > 12) streams.shift()?.close()

    if (round % 12 === 2) {
      slow?.close()
      slow = await stall(instance, joan)
    }
    for (let n = 0; n < 4; n += 1) await publisher.publish(topics.user('joan'), { event: 'notification', data: LARGE })
    if (round % 30 === 3) {
      await redis.call('CLIENT', 'KILL', 'TYPE', 'normal')
      await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
      await eventually(
        async () => (await ada.get('/')).status === 200,
        () => 'the site does not come back',
      )
    }
    await pause(PACE)
  }
  slow?.close()
  for (const stream of streams) stream.close()
}

async function loggedIn(url: string, user: User): Promise<Visitor> {
  const visitor = new Visitor(url)
  await visitor.logIn(user, PASSWORDS[user])
  return visitor
}

/** The connection breaks, and its page resumes. */
async function comeBack(visitor: Visitor, streams: ReceivedStream[]): Promise<void> {
  const stream = streams.shift()
  const { id = '' } = stream?.received.findLast(({ id }) => id !== undefined) ?? {}
  stream?.close()
  streams.push(await visitor.openStream('/events?market', { 'last-event-id': id }))
}

/** A stream at an instance whose client reads the beginning alone. */
async function stall(port: number, { cookie }: Visitor): Promise<RawSocket> {
  const head = `GET /events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nCookie: ${cookie}\r\n\r\n`
  const client = await raw(port, head)
  await client.until('event: cursor')
  return client.pause()
}
