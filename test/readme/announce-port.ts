/**
 * Loaded before an example that knows nothing of it: tells on which port the example's server listens, to the parent
 * process, or on a line of standard output where `ANNOUNCE=stdout` because other processes are between them.
 */
import { subscribe } from 'node:diagnostics_channel'
import type { Server } from 'node:net'

subscribe('tracing:net.server.listen:asyncEnd', message => {
  const address = (message as { server: Server }).server.address()
  // Those that stand between may listen on a pipe.
  if (address === null || typeof address === 'string') return
  const { port } = address
  if (process.env.ANNOUNCE === 'stdout') console.log(`announced port ${port}`)
  else process.send?.(port)
})
