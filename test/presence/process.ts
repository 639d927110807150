/** An instance in a process of its own, on the Redis at the URL that is given, with so many milliseconds of lease. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Koa from 'koa'
import { createHub, eventStream, presenceOf } from 'koa-event-stream'
import { redisBroker } from 'koa-event-stream/redis'
import { anyone } from './site.ts'

const [client = '', lease] = process.argv.slice(2)
const hub = createHub({ broker: redisBroker({ client, timeout: 2_000 }), lease: Number(lease) })
const app = new Koa()
app.use(
  eventStream({
    hub,
    authenticate: anyone,
    retry: 500,
    subscribe: (_stream, ctx) =>
      ctx.query.watch === undefined ? { topic: 'room', presence: true } : presenceOf('room'),
  }),
)
const server = createServer(app.callback()).listen(0, '127.0.0.1')
await once(server, 'listening')
if (!hub.ready) await once(hub, 'ready')
process.send?.((server.address() as AddressInfo).port)
