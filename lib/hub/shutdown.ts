import type { Clock } from '../clock.ts'
import { within } from '../deadline.ts'

/** A server of `node:net`, `node:http`, `node:https` or `node:http2`, such as the result of `app.listen()`. */
export interface ClosableServer {
  close(callback?: (error?: Error) => void): unknown
  address(): unknown
  closeIdleConnections?(): void
  closeAllConnections?(): void
}

// Milliseconds between checks for idle connections: `close()` itself closes only those that are idle when it is called.
const IDLE_PERIOD = 100

// How long cut connections may take to close, in milliseconds.
const CUT_TIMEOUT = 1_000

/** @throws {TypeError} if it is not a server */
export function checkServer(server: unknown): ClosableServer {
  if (isServer(server)) return server
  throw new TypeError('shutdown needs the server: the result of `app.listen()` or `http.createServer()`')
}

/**
 * Closes a server: it accepts no new connections, idle ones are closed, and the rest is cut after `ms` milliseconds.
 *
 * @throws {Error} as a rejection, if connections remain that the server cannot cut
 */
export async function closeServer(server: ClosableServer, ms: number, clock: Clock): Promise<void> {
  const closed = new Promise<void>(resolve => {
    // The only possible error is that the server was not running.
    server.close(() => {
      resolve()
    })
  })
  const closeIdle = (): void => server.closeIdleConnections?.()
  closeIdle()
  const stop = clock.every(IDLE_PERIOD, closeIdle)
  try {
    await within(clock, ms, closed, stillOpen)
  } catch (error) {
    if (server.closeAllConnections === undefined) throw error
    server.closeAllConnections()
    await within(clock, CUT_TIMEOUT, closed, stillOpen)
  } finally {
    stop()
  }
}

function stillOpen(): Error {
  return new Error('the server still has connections')
}

function isServer(value: unknown): value is ClosableServer {
  if (typeof value !== 'object' || value === null) return false
  const { close, address } = value as Partial<ClosableServer>
  return typeof close === 'function' && typeof address === 'function'
}
