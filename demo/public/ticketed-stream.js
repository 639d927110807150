import { LoginEnded } from './api-client.js'
import { ReconnectingStream } from './reconnecting-stream.js'

/**
 * The API's event stream for a page, whose EventSource can send no token: each one is opened with a ticket of its own.
 *
 * When the browser reconnects by itself, it comes with a ticket that has been used, is refused, and gives up. Then there is
 * a new ticket, got with a new access token if the old one has expired.
 */
export function ticketedStream(api) {
  return new ReconnectingStream(async ({ signal }) => {
    try {
      const response = await api.fetch('events/ticket', { method: 'POST', signal })
      if (!response.ok) throw new Error(`no ticket: status ${response.status}`)
      const { ticket } = await response.json()
      return api.url(`events?ticket=${ticket}`)
    } catch (error) {
      if (error instanceof LoginEnded) return undefined
      throw error
    }
  })
}
