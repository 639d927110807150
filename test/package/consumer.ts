// An application as the compiler sees it. Copied out of here and compiled against the packed package.
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
import { connect, type Gap } from 'koa-event-stream/client'
import { metrics } from 'koa-event-stream/prometheus'
import { traces } from 'koa-event-stream/opentelemetry'
import { opsRoutes, type OpsAction } from 'koa-event-stream/ops'
import { relay, type Run } from 'koa-event-stream/relay'
import { manualClock, recorder, testStreams } from 'koa-event-stream/testing'
import { register } from 'prom-client'

interface Events {
  'order.created': { total: number }
}

const hub = createHub<Events>()
metrics(hub, { register, topic: topic => topic })
traces(hub, { topics: true }).close()

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

const live = connect<Events>(() => '/events', {
  load: async () => ({ cursor: '' }),
  share: { name: 'orders', identity: 'ann' },
})
live.on('order.created', ({ total }, { id }) => total.toFixed(2) + id)
live.on('gap', ({ topics }: Gap) => topics.length)
// @ts-expect-error -- no such event
live.on('order.lost', () => undefined)

export async function read(): Promise<number> {
  for await (const received of live) {
    if (received.event === 'order.created') return received.data.total
  }
  return 0
}

const answers = relay({ hub })
const login = bearerToken({ key: 'k'.repeat(32), algorithms: ['HS256'], issuer: 'issuer', audience: false })
const may = (identity: Identity, run: Run): boolean => identity.id === run.owner

app.use(
  answers.start({
    authenticate: login,
    id: ctx => ctx.path,
    run: async function* ({ identity, signal }) {
      signal.throwIfAborted()
      yield { event: 'order.created', data: { total: identity.id.length } }
    },
    compact: events => ({ event: 'order.created', data: { total: events.length } }),
  }),
)
app.use(
  answers.start({
    authenticate: login,
    id: ctx => ctx.path,
    // @ts-expect-error -- the payload of another type
    run: async function* () {
      yield { event: 'order.created', data: 'ten' }
    },
  }),
)
app.use(answers.follow({ authenticate: login, may, format: 'plain', heartbeat: 10_000 }))
app.use(answers.cancel({ authenticate: login, may }))
// @ts-expect-error -- rights have to be said
app.use(answers.follow({ authenticate: login }))

app.use(
  opsRoutes({
    hub,
    authenticate: login,
    may: ({ id }: Identity, { type }: OpsAction) => id === 'ann' && type === 'view',
  }),
)
// @ts-expect-error -- rights have to be said
app.use(opsRoutes({ hub, authenticate: login }))
export async function testIt(): Promise<number> {
  const site = await testStreams(app, { hub })
  const ann = await site.open('/events', { as: { id: 'ann' } })
  // @ts-expect-error -- no such event
  await ann.next('order.lost')
  const token = (await (await site.open<{ token: string }>('/answers')).next('token')).data
  const { data } = await ann.next('order.created', { within: 1_000 })
  const seen = recorder(hub)
  const told = seen.published.map(({ event, data: { total } }) => event.length + total)
  // @ts-expect-error -- an identity has an id
  await site.open('/events', { as: { name: 'ann' } })
  return data.total + token.length + told.length + createHub({ clock: manualClock() }).stats().streams
}
