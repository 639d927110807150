/** An instance in a process of its own, which allows two streams an identity over all instances on the Redis that is given. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Koa from 'koa'
import { createHub, eventStream } from 'koa-event-stream'
import { redisBroker } from 'koa-event-stream/redis'
import { byName } from '../koa/endpoint.ts'
import { PATIENT } from '../support/progress.ts'

const [client = ''] = process.argv.slice(2)
const hub = createHub({ broker: redisBroker({ ...PATIENT, client }) })
const app = new Koa()
app.use(eventStream({ hub, authenticate: byName, limits: { shared: { identity: 2 } }, subscribe: () => 'news' }))
const server = createServer(app.callback()).listen(0, '127.0.0.1')
await once(server, 'listening')
process.send?.((server.address() as AddressInfo).port)
