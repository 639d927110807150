import type { Context } from 'koa'
import { MAX_ID_LENGTH } from '../wire/cursor.ts'

/**
 * The id that the client saw last: the `Last-Event-ID` header, or the query `lastEventId` of clients that re-create their
 * EventSource. The header is newer, where both are there: the URL stays the same over reconnects.
 *
 * Whatever a client sends, the answer is short; what is malformed or doubled is found to be unknown later.
 */
export function lastEventIdOf(ctx: Context): string | undefined {
  const header = ctx.get('last-event-id')
  const query = ctx.query.lastEventId
  const id = header === '' ? (Array.isArray(query) ? query.join() : query) : header
  return id === undefined || id === '' ? undefined : id.slice(0, MAX_ID_LENGTH + 1)
}
