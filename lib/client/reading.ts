import type { End } from './attempt.ts'
import type { Connection, ConnectionHost } from './connection.ts'
import { HEARTBEAT_GRACE } from './limits.ts'
import { ownEvent } from './own-event.ts'
import { isUpTo } from './position.ts'
import type { Reason } from './reasons.ts'
import type { Schedule } from './schedule.ts'
import type { Watch } from './watch.ts'

/**
 * Processes the blocks of a connection: tracks the cursor, delivers each event once, and obeys the server's own events.
 *
 * @returns a function that processes a block, and returns an end if the block says so
 */
export function createReading(
  connection: Connection,
  schedule: Schedule,
  watch: Watch,
  host: ConnectionHost,
): (event: string, data: string | undefined, id: string | undefined) => End | undefined {
  // Whether ids are from the log, and so increase.
  let isLog = !!connection.lastId

  return (event, data, id) => {
    const isCursor = event === 'cursor'
    const isHeartbeat = event === 'heartbeat'
    const isLast = event === 'goaway'
    if (id !== undefined) {
      // An event that the previous connection, assumed dead, has already delivered.
      if (!isLog || !isUpTo(id, connection.lastId)) connection.lastId = id
      else if (!isCursor) return
    }
    if (data === undefined) return
    const { heartbeat, retry, reason = 'server' } = isCursor || isHeartbeat || isLast ? ownEvent(data) : {}
    isLog ||= isCursor
    if (retry) schedule.askFor(retry)
    // Another kind of server announces no heartbeat, and may be silent for any time.
    if (isCursor || isHeartbeat) watch.allow(heartbeat ? heartbeat * 1.25 + HEARTBEAT_GRACE : Infinity)
    if (!isHeartbeat) host.message({ event, data, id: connection.lastId, hasId: id !== undefined })
    // Nothing useful follows it.
    return isLast ? [reason as Reason, /^(done|logout|revoked)$/.test(reason)] : undefined
  }
}
