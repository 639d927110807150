import type { Server } from 'node:net'
import { eventually } from '../support/eventually.ts'

type Counts = Readonly<Record<string, number>>

/** Waits until all that is counted is at zero; rejects when patience ends, and says what is left. */
export async function nothingLeft(requests: number, count: () => Counts | Promise<Counts>): Promise<void> {
  let counts: Counts = {}
  await eventually(
    async () => {
      counts = await count()
      return Object.values(counts).every(left => left === 0)
    },
    () => `left of ${requests} requests: ${JSON.stringify(counts)}`,
  )
}

/** How many connections a server has. */
export function connections(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)))
  })
}
