import Router from '@koa/router'
import Koa from 'koa'
import { createHub, eventStream } from 'koa-event-stream'
import { Publisher } from '../plan.ts'
import type { TextKind } from '../texts.ts'
import { inPairs, type Difference } from './pairs.ts'
import { OPEN, Server } from './server.ts'

const [SECONDS, DELIVERIES_A_SECOND, WARM_UP] = [1.5, 4_000, 6]

/** What `compress` adds to a delivery to so many streams. All counts of streams have as many deliveries a second. */
export async function compressionCost(kind: TextKind, streams: number, pairs: number): Promise<Difference> {
  const hub = createHub()
  const router = new Router()
  router.get('/plain', eventStream({ hub, ...OPEN, subscribe: () => 'plain' }))
  router.get('/gzip', eventStream({ hub, ...OPEN, compress: 'gzip', subscribe: () => 'gzip' }))
  const app = new Koa()
  app.use(router.routes())
  const server = await Server.listen(app)
  const open = (path: string) => server.clients({ path, count: streams, protocol: { name: 'gzip' } })
  const [plain, gzip] = [await open('/plain'), await open('/gzip')]
  const publisher = new Publisher((topic, data) => hub.publish(topic, { data }))
  const each = Math.round((SECONDS * DELIVERIES_A_SECOND) / streams)
  const difference = await inPairs(pairs, WARM_UP, isWith => {
    const [load, topic] = isWith ? [gzip, 'gzip'] : [plain, 'plain']
    return load.cost(publisher, { seconds: SECONDS, parts: [{ topics: [topic], each, lane: 0, data: kind }] })
  })
  await server.close()
  await hub.close()
  return difference
}
