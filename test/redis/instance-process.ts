/** An instance in a process of its own: a hub on the Redis at the URL that is given, behind a server. Told to, it closes both. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Koa from 'koa'
import { createHub, eventStream } from 'koa-event-stream'
import { redisBroker } from 'koa-event-stream/redis'

const [client = ''] = process.argv.slice(2)
const hub = createHub({ broker: redisBroker({ client, timeout: 500, watchdog: 200 }) })
const app = new Koa()
app.use(
  eventStream({
    hub,
    authenticate: false,
    subscribe: (_stream, ctx) => String(ctx.query.topics).split(','),
  }),
)
const server = createServer(app.callback()).listen(0, '127.0.0.1')
await once(server, 'listening')
if (!hub.ready) await once(hub, 'ready')
process.send?.((server.address() as AddressInfo).port)

await once(process, 'message')
await hub.close()
server.close()
// Nothing else may keep the process alive.
process.disconnect()
