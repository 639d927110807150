import type { EventStream } from '../stream/event-stream.ts'
import { formatPosition, parseCursor, type Cursor } from '../wire/cursor.ts'
import { encodeCursor, encodeGap, type GapReason } from '../wire/frame.ts'
import { turn } from './turn.ts'
import type { View } from './view.ts'

/** A reader's stream. */
export type ReaderStream = EventStream

/** How readers are served. */
export interface ReaderOptions {
  readonly isPlain: boolean
  /** The heartbeat interval in milliseconds, which clients are told; `null` for none. */
  readonly heartbeat: number | null
}

/** Where a reader starts: the number of its last event, 0 for none, and a gap to report. */
export interface ReaderStart {
  readonly number: number
  readonly gap: GapReason | undefined
}

/** Parses the id that a client resumes with. */
export function readerStart(lastEventId: string | undefined, { name }: View): ReaderStart {
  const cursor: Cursor = parseCursor(lastEventId)
  if (cursor === undefined) return { number: 0, gap: undefined }
  if (cursor === 'unknown') return { number: 0, gap: 'unknown' }
  // A client that has seen nothing of a run misses nothing.
  return cursor.epoch === name || cursor.seq === 0
    ? { number: cursor.seq, gap: undefined }
    : { number: 0, gap: 'epoch' }
}

/** Whether a client has read a run to its end, and need not reconnect. */
export function isPast({ log }: View, { number }: ReaderStart, isPlain: boolean): boolean {
  if (log.end === undefined || number === 0) return false
  // Clients with the plain format are not sent the end event.
  return number === log.endNumber || (isPlain && number === log.last)
}

/**
 * Writes the events of a run from a position to its end, as fast as the client reads. Readers at the same position
 * share the same bytes.
 */
export async function readRun(
  view: View,
  { number, gap }: ReaderStart,
  stream: ReaderStream,
  { isPlain, heartbeat }: ReaderOptions,
): Promise<void> {
  const { log, encoder, name, clock } = view
  const changes = view.changes(stream.signal)
  let at = number
  let owesCursor = !isPlain
  const tell = (reason: GapReason): void => {
    stream.write(encodeGap({ topics: [name], reason }))
    stream.news?.carried()
  }
  if (gap !== undefined && !isPlain) tell(gap)
  let portion = number === 0 ? encoder.whole() : encoder.after(number)
  for (;;) {
    if (portion.isTorn && isPlain) {
      // In the plain format the client could not tell that events are missing.
      stream.finish('error')
      return
    }
    if (portion.isTorn && gap === undefined) tell('trimmed')
    gap = undefined
    for (const { chunk, last } of portion) {
      at = last
      if (isPlain && at > log.last) break
      if (!(await stream.share(chunk))) return
      if (at < log.last) await turn(clock)
    }
    if (log.end !== undefined && at > log.last) break
    portion = encoder.after(at)
    if (!portion.isEmpty) continue
    if (owesCursor) {
      owesCursor = false
      // Otherwise the client already has an id. Without one, each of its long polls would count as its first, and not
      // wait.
      const id = at === 0 ? formatPosition(name, 0) : undefined
      stream.write(encodeCursor(id, { stream: stream.id, heartbeat }))
      stream.news?.caughtUp()
    }
    await changes.next()
    if (stream.closeReason !== undefined) return
    portion = encoder.after(at)
  }
  if (isPlain && log.end.kind !== 'done') stream.finish('error')
}
