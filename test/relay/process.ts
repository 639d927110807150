/** An instance of a relay in a process of its own, on the Redis at the URL that is given: its runs say a word every few milliseconds. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import Router from '@koa/router'
import Koa from 'koa'
import { createHub } from 'koa-event-stream'
import { redisBroker } from 'koa-event-stream/redis'
import { relay } from 'koa-event-stream/relay'
import { byName } from '../koa/endpoint.ts'

const PACE = 10

const [client = '', lease = ''] = process.argv.slice(2)
const hub = createHub({ broker: redisBroker({ client }) })
for (const news of ['fault', 'lost'] as const) hub.on(news, () => undefined)
const { start } = relay({ hub, lease: Number(lease), linger: 0 })
const router = new Router()
router.post(
  '/runs/:id',
  start({
    authenticate: byName,
    id: ctx => String(ctx.params.id),
    run: async function* () {
      for (let number = 1; ; number += 1) {
        yield { event: 'token', data: String(number) }
        await setTimeout(PACE)
      }
    },
  }),
)
const app = new Koa()
app.use(router.routes())
const server = createServer(app.callback()).listen(0, '127.0.0.1')
await once(server, 'listening')
if (!hub.ready) await once(hub, 'ready')
process.send?.((server.address() as AddressInfo).port)
