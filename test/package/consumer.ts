// An application as the compiler sees it. Copied out of here and compiled against the packed package.
import { Cluster, Redis } from 'ioredis'
import * as ioredis5 from 'ioredis-5'
import Koa from 'koa'
import {
  bearerToken,
  createHub,
  eventStream,
  EventStreamError,
  sessionCookie,
  type Authenticator,
  type EventInput,
  type Identity,
} from 'koa-event-stream'
import { createPublisher, redisBroker, type ClientOrUrl } from 'koa-event-stream/redis'

interface Events {
  'order.created': { total: number }
}

const hub = createHub<Events>()
const app = new Koa()

const ticket: Authenticator = {
  scheme: 'ticket',
  challenge: 'Ticket',
  ambient: false,
  authenticate: ctx => (ctx.query.ticket === '1' ? { id: 'one', scheme: 'ticket' } : undefined),
}

app.use(
  eventStream({
    hub,
    authenticate: [
      sessionCookie({ identify: session => ({ id: String(session.userId) }) }),
      bearerToken({ key: 'k'.repeat(32), algorithms: ['HS256'], issuer: 'issuer', audience: false }),
      ticket,
    ],
    subscribe: stream => {
      const { id }: Identity = stream.identity
      return ['news', `user:${id}`]
    },
  }),
)

app.use(
  eventStream({
    hub: createHub(),
    authenticate: false,
    subscribe: async function* (stream): AsyncGenerator<EventInput> {
      // @ts-expect-error -- a public stream may have nobody behind it
      const { id }: Identity = stream.identity
      yield { event: 'token', data: id }
    },
  }),
)

// Clients of every version of ioredis, whatever shape their own answers have.
const clients: ClientOrUrl[] = [
  new Redis(),
  new Redis({ replyMapping: 'resp3' }),
  new Cluster([], { redisOptions: { replyMapping: 'resp3' } }),
  new ioredis5.Redis(),
  new ioredis5.Cluster([]),
  'redis://127.0.0.1',
]
for (const client of clients) {
  createHub({ broker: redisBroker({ client }) })
  createPublisher({ client })
}
// @ts-expect-error -- a client of another package
redisBroker({ client: { options: {}, duplicate: () => undefined } })

export async function publish(): Promise<string> {
  // @ts-expect-error -- the payload of another type
  await hub.publish('news', { event: 'order.created', data: 'ten' })
  try {
    return await hub.publish('news', { event: 'order.created', data: { total: 10 } })
  } catch (error) {
    if (error instanceof EventStreamError) return error.code
    throw error
  }
}
