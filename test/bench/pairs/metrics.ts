import Koa from 'koa'
import { createHub, eventStream } from 'koa-event-stream'
import { metrics } from 'koa-event-stream/prometheus'
import { Registry } from 'prom-client'
import { Publisher } from '../plan.ts'
import { news } from '../workloads/news.ts'
import { inPairs, type Difference } from './pairs.ts'
import { OPEN, Server } from './server.ts'

const [STREAMS, SECONDS, RATE, WARM_UP] = [2_000, 1.5, 20, 4]

/** What `metrics()` adds to a delivery of the load of `steady`. */
export async function metricsCost(pairs: number): Promise<Difference> {
  const hub = createHub()
  const app = new Koa()
  app.use(eventStream({ hub, ...OPEN, subscribe: () => 'news' }))
  const server = await Server.listen(app)
  const load = await server.clients({ path: '/', count: STREAMS })
  const publisher = new Publisher((topic, data) => hub.publish(topic, { data }))
  const difference = await inPairs(pairs, WARM_UP, async isWith => {
    const measured = isWith ? metrics(hub, { register: new Registry(), topic: topic => topic }) : undefined
    const cost = await load.cost(publisher, news(SECONDS, RATE))
    measured?.close()
    return cost
  })
  await server.close()
  await hub.close()
  return difference
}
