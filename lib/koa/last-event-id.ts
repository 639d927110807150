import type { Context } from 'koa'
import { MAX_ID_LENGTH } from '../wire/cursor.ts'

/**
 * The id that the client saw last: the `Last-Event-ID` header, or the query `lastEventId` of clients that re-create their
 * EventSource. The header is newer, where both are there: the URL stays the same over reconnects.
 *
 * Whatever a client sends, the answer is short; what is malformed is found to be unknown later.
 */
export function lastEventIdOf(ctx: Context): string | undefined {
  const id = ctx.get('last-event-id') || queried(ctx)
  return id === '' ? undefined : id.slice(0, MAX_ID_LENGTH + 1)
}

// Koa keeps a parsed query for as long as the stream lives; most URLs have none.
function queried(ctx: Context): string {
  if (!ctx.url.includes('?')) return ''
  const { lastEventId = '' } = ctx.query
  // Clients add theirs to what the URL has.
  return Array.isArray(lastEventId) ? (lastEventId.at(-1) ?? '') : lastEventId
}
