import { once } from 'node:events'
import { createServer } from 'node:net'

// Below what systems give to connections and to servers that ask for port 0, so that none of those takes a port between
// its finding and its use, or while its server is being restarted. Browsers refuse some ports further down.
const [FIRST, END] = [20_000, 32_000]
const ATTEMPTS = 100

/** A port of the loopback that nobody listens on just now, for a program that has to be told one. */
export async function freePort(): Promise<number> {
  for (let attempt = 1; ; attempt += 1) {
    const port = FIRST + Math.floor(Math.random() * (END - FIRST))
    const server = createServer().listen(port, '127.0.0.1')
    try {
      await once(server, 'listening')
    } catch (error) {
      if (attempt === ATTEMPTS) throw error
      continue
    }
    server.close()
    await once(server, 'close')
    return port
  }
}
