/**
 * An instance in a process of its own: a hub on the Redis that is given, with one place for each client over all
 * instances. On SIGTERM it ends as an instance should, and nothing may keep it from it.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Koa from 'koa'
import { createHub, eventStream, type HubStats } from 'koa-event-stream'
import { redisBroker } from 'koa-event-stream/redis'
import { byName } from '../koa/endpoint.ts'
import { PATIENT } from '../support/progress.ts'

/** What an instance says at its end. */
export interface Report {
  readonly stats: HubStats
  /** Whatever went wrong. */
  readonly faults: readonly string[]
}

const [client = '', within = ''] = process.argv.slice(2)
const hub = createHub({ broker: redisBroker({ client, ...PATIENT }) })
const faults: string[] = []
hub.on('fault', ({ during, error }) => {
  // A machine may be too busy to count a place in the second that the hub waits: then the instance's own limits hold.
  if (during === 'lease' && String(error).includes('did not answer within')) return
  faults.push(`${during}: ${String(error)}`)
})
const app = new Koa()
app.on('error', error => faults.push(String(error)))
app.use(
  eventStream({
    hub,
    authenticate: byName,
    // Nothing like what a drain tells its clients: half to three quarters of a second.
    retry: 500,
    limits: { address: 50_000, shared: { identity: 1 } },
    subscribe: (_stream, ctx) => String(ctx.query.topics).split(','),
  }),
)
const server = createServer(app.callback()).listen(0, '127.0.0.1')
// Connections that are idle stay for ever: only their release lets the server close.
server.keepAliveTimeout = 0
await once(server, 'listening')
if (!hub.ready) await once(hub, 'ready')
process.send?.((server.address() as AddressInfo).port)

await once(process, 'SIGTERM')
await hub.drain({ within: Number(within) })
await once(server.close(), 'close')
const report: Report = { stats: hub.stats(), faults }
process.send?.(report)
await hub.close()
process.disconnect()
