import type { Clock } from '../clock.ts'
import { within } from '../deadline.ts'

/** A server of `node:net`, `node:http`, `node:https` or `node:http2`: what `app.listen()` answers. */
export interface ClosableServer {
  close(callback?: (error?: Error) => void): unknown
  address(): unknown
  closeIdleConnections?(): void
  closeAllConnections?(): void
}

// Connections become idle one after another, and a server closes of its own those alone that are when it is closed.
const IDLE_PERIOD = 100

// How long connections that were cut may take to be gone, in milliseconds.
const CUT_TIMEOUT = 1_000

/** @throws {TypeError} for what is no server */
export function checkServer(server: unknown): ClosableServer {
  if (isServer(server)) return server
  throw new TypeError('shutdown needs the server: what `app.listen()` or `http.createServer()` answered')
}

/**
 * Closes a server: it takes no new connections, idle ones are closed, and what is left after `ms` milliseconds is cut.
 *
 * @throws {Error} as a rejection, where connections are left that it has no way to cut
 */
export async function closeServer(server: ClosableServer, ms: number, clock: Clock): Promise<void> {
  const closed = new Promise<void>(resolve => {
    // The one error that there is says that it has not been running.
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
