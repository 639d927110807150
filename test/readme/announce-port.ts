/** Loaded before an example that knows nothing of it: tells the parent process on which port the example's server listens. */
import { subscribe } from 'node:diagnostics_channel'
import type { AddressInfo, Server } from 'node:net'

subscribe('tracing:net.server.listen:asyncEnd', message => {
  const { server } = message as { server: Server }
  process.send?.((server.address() as AddressInfo).port)
})
