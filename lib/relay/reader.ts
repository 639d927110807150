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
  /** Milliseconds of silence before a heartbeat, which clients are told of; `null` for none. */
  readonly heartbeat: number | null
}

/** Where a reader comes from: the number of the last event that it has, 0 for none, and what is to be told of that. */
export interface ReaderStart {
  readonly number: number
  readonly gap: GapReason | undefined
}

/** Reads the id that a client has come back with. */
export function readerStart(lastEventId: string | undefined, { name }: View): ReaderStart {
  const cursor: Cursor = parseCursor(lastEventId)
  if (cursor === undefined) return { number: 0, gap: undefined }
  if (cursor === 'unknown') return { number: 0, gap: 'unknown' }
  // Whoever has seen nothing of a run misses nothing of it.
  return cursor.epoch === name || cursor.seq === 0
    ? { number: cursor.seq, gap: undefined }
    : { number: 0, gap: 'epoch' }
}

/** Whether a client has read a run to its end, so that there is nothing more to come back for. */
export function isPast({ log }: View, { number }: ReaderStart, isPlain: boolean): boolean {
  if (log.end === undefined || number === 0) return false
  // Who gets the events of the source alone is never shown the one that says the end.
  return number === log.endNumber || (isPlain && number === log.last)
}

/**
 * Writes the events of a run from a place on, up to its end, as fast as they are read. Readers at the same place are handed
 * the same bytes.
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
      // The events alone would be taken for all of it.
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
      // The id is the one that the client has already. Without any, each of its long polls would be its first, and not wait.
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
