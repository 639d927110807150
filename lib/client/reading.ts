import type { End } from './attempt.ts'
import type { Connection, ConnectionHost } from './connection.ts'
import { HEARTBEAT_GRACE } from './limits.ts'
import { ownEvent } from './own-event.ts'
import { isUpTo } from './position.ts'
import type { Reason } from './reasons.ts'
import type { Schedule } from './schedule.ts'
import type { Watch } from './watch.ts'

/**
 * Reads what the attempts of one connection bring: keeps its place, tells each event once, and does what the server says.
 *
 * @returns a function that reads a block, and answers an end where that says it
 */
export function createReading(
  connection: Connection,
  schedule: Schedule,
  watch: Watch,
  host: ConnectionHost,
): (event: string, data: string | undefined, id: string | undefined) => End | undefined {
  // Whether ids are of the log: they rise.
  let isLog = !!connection.lastId

  return (event, data, id) => {
    const isCursor = event === 'cursor'
    const isHeartbeat = event === 'heartbeat'
    const isLast = event === 'goaway'
    if (id !== undefined) {
      // What a connection that was thought dead has brought already.
      if (!isLog || !isUpTo(id, connection.lastId)) connection.lastId = id
      else if (!isCursor) return
    }
    if (data === undefined) return
    const { heartbeat, retry, reason = 'server' } = isCursor || isHeartbeat || isLast ? ownEvent(data) : {}
    isLog ||= isCursor
    if (retry) schedule.askFor(retry)
    // A server of another make says nothing, and may be silent for as long as it likes.
    if (isCursor || isHeartbeat) watch.allow(heartbeat ? heartbeat * 1.25 + HEARTBEAT_GRACE : Infinity)
    if (!isHeartbeat) host.message({ event, data, id: connection.lastId, hasId: id !== undefined })
    // Nothing of use comes after it.
    return isLast ? [reason as Reason, /^(done|logout|revoked)$/.test(reason)] : undefined
  }
}
