import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import Koa from 'koa'
import { createHub, eventStream } from 'koa-event-stream'
import type { Broker } from '../../lib/broker/broker.ts'
import { serve } from '../support/server.ts'

const WARM_UP = 500
const ROUNDS = 5_000

/** The median time from `publish` until the event is with a client over HTTP on the loopback, in milliseconds. */
export async function httpLatency(broker: Broker): Promise<number> {
  const hub = createHub({ broker })
  const app = new Koa()
  app.use(eventStream({ hub, authenticate: false, subscribe: () => 'latency' }))
  const { url, close } = await serve(app)
  const outgoing = request(url, { agent: false }).end()
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
  const arrivals = arrivalsOf(incoming)
  await arrivals.next()
  const times: number[] = []
  for (let round = 0; round < WARM_UP + ROUNDS; round += 1) {
    const start = process.hrtime.bigint()
    void hub.publish('latency', { data: 'x' })
    await arrivals.next()
    if (round >= WARM_UP) times.push(Number(process.hrtime.bigint() - start) / 1e6)
  }
  outgoing.destroy()
  await close()
  await hub.close()
  return times.toSorted((a, b) => a - b)[ROUNDS / 2] ?? NaN
}

/** One item for each event, the cursor that a stream begins with included. */
async function* arrivalsOf(incoming: IncomingMessage): AsyncGenerator<undefined, undefined> {
  incoming.setEncoding('utf8')
  for await (const chunk of incoming as AsyncIterable<string>) {
    for (let left = chunk.match(/^data:/gm)?.length ?? 0; left > 0; left -= 1) yield undefined
  }
  return undefined
}
