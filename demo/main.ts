import type { AddressInfo } from 'node:net'
import closeWithGrace from 'close-with-grace'
import { createApp } from './app.ts'
import { readConfig } from './config.ts'
import { serveMetrics } from './metrics.ts'
import { seed, startSimulation } from './simulation.ts'
import { Turn } from './turn.ts'

/** Milliseconds that streams get to end in, and the whole stop at most. */
const DRAIN_WITHIN = 3_000
const STOP_WITHIN = 8_000

const config = readConfig()
const { app, hub, services, shelves, close } = createApp(config)

hub.on('fault', ({ during, error }) => {
  console.error(`${during}:`, error)
})
const turn = new Turn(shelves, 'simulation')
if (await turn.isOurs()) await seed(services)
const stopSimulation = startSimulation(services, turn)
const metrics = config.metricsPort === undefined ? undefined : await serveMetrics(hub, config.metricsPort)
if (metrics) console.log(`Metrics are at ${metrics.url}`)

const server = app.listen(config.port, () => {
  const { port } = server.address() as AddressInfo
  console.log(`Quayside is open at http://localhost:${port}`)
})

// Streams first: they never end by themselves, so closing the server would wait for them for ever.
closeWithGrace({ delay: STOP_WITHIN }, async ({ err }) => {
  if (err) console.error(err)
  stopSimulation()
  await hub.drain({ within: DRAIN_WITHIN })
  metrics?.close()
  await new Promise(resolve => server.close(resolve))
  await close()
})
