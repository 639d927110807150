import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Hub } from 'koa-event-stream'
import { metrics } from 'koa-event-stream/prometheus'
import { collectDefaultMetrics, Registry } from 'prom-client'
import type { Events } from './events.ts'

/**
 * Serves the hub's metrics and those of the process at `/metrics`, on a port of their own and to this machine alone: they are
 * not for visitors.
 *
 * @param port 0 takes any free port
 * @returns `url` is where Prometheus finds them
 */
export async function serveMetrics(hub: Hub<Events>, port: number): Promise<{ url: string; close: () => void }> {
  const register = new Registry()
  collectDefaultMetrics({ register })
  const measured = metrics(hub, { register, topic: topic => topic.split(':', 1)[0] ?? topic })
  const server = createServer((req, res) => {
    if (req.url !== '/metrics') return void res.writeHead(404).end()
    register.metrics().then(
      text => res.setHeader('Content-Type', register.contentType).end(text),
      () => res.writeHead(500).end(),
    )
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve)
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`,
    close: () => {
      measured.close()
      server.close()
      server.closeAllConnections()
    },
  }
}
