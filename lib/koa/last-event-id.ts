import type { Context } from 'koa'
import { MAX_ID_LENGTH } from '../wire/cursor.ts'

/**
 * The id of the last event that the client has seen: the `Last-Event-ID` header, or the query parameter `lastEventId`
 * of clients that re-create their EventSource. The header takes precedence, since it is newer: the URL stays the same
 * over reconnects.
 *
 * The result is bounded, whatever the client sends. A malformed id is treated as unknown later.
 */
export function lastEventIdOf(ctx: Context): string | undefined {
  const id = ctx.get('last-event-id') || queried(ctx)
  return id === '' ? undefined : id.slice(0, MAX_ID_LENGTH + 1)
}

// Koa would keep a parsed query for as long as the stream is open, and most URLs have none.
function queried(ctx: Context): string {
  if (!ctx.url.includes('?')) return ''
  const { lastEventId = '' } = ctx.query
  // Clients append theirs to the URL's query.
  return Array.isArray(lastEventId) ? (lastEventId.at(-1) ?? '') : lastEventId
}
