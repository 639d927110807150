/** The process of a load generator whose clients come back. */
import { serveCommands } from '../remote.ts'
import { Visitors, type Visit } from './visitors.ts'

const visitors = new Visitors()

const commands = {
  use: (ports: readonly number[]) => visitors.use(ports),
  come: (visit: Visit) => visitors.come(visit),
  status: () => visitors.status(),
  takeLatencies: () => visitors.takeLatencies(),
  close: () => visitors.close(),
}

export type CrowdCommands = typeof commands

serveCommands(commands)
