import type { EventStream } from '../stream/event-stream.ts'
import { formatPosition, parseCursor, type Cursor } from '../wire/cursor.ts'
import type { EventInput } from '../wire/event.ts'
import { encodeCursor, encodeGap, type GapReason } from '../wire/frame.ts'
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
  // Who gets the events of the source alone is never shown the one that says the end.
  return log.end !== undefined && number > 0 && number >= (isPlain ? log.last : log.endNumber)
}

/** The events of a run from a place on, up to its end, as fast as they are read. */
export async function* readRun(
  view: View,
  { number, gap }: ReaderStart,
  stream: ReaderStream,
  { isPlain, heartbeat }: ReaderOptions,
): AsyncGenerator<EventInput> {
  const { log, name } = view
  let at = number
  let owesCursor = !isPlain
  const tell = (reason: GapReason): void => {
    stream.write(encodeGap({ topics: [name], reason }))
    stream.news?.carried()
  }
  if (gap !== undefined && !isPlain) tell(gap)
  let portion = number === 0 ? log.whole() : log.after(number)
  for (;;) {
    const { isTorn, events } = portion
    if (isTorn && isPlain) {
      // The events alone would be taken for all of it.
      stream.finish('error')
      return
    }
    if (isTorn && gap === undefined) tell('trimmed')
    gap = undefined
    for (const { number: own, event } of events) {
      at = own
      const [kind, data] = event
      const isEnd = own > log.last
      if (isEnd && isPlain) break
      yield { ...(kind !== null && { event: kind }), data, id: formatPosition(name, own) }
    }
    if (log.end !== undefined && at > log.last) break
    portion = log.after(at)
    if (portion.events.length > 0) continue
    if (owesCursor) {
      owesCursor = false
      // The id is the one that the client has already. Without any, each of its long polls would be its first, and not wait.
      const id = at === 0 ? formatPosition(name, 0) : undefined
      stream.write(encodeCursor(id, { stream: stream.id, heartbeat }))
      stream.news?.caughtUp()
    }
    await view.changed(stream.signal)
    if (stream.closeReason !== undefined) return
    portion = log.after(at)
  }
  if (isPlain && log.end.kind !== 'done') stream.finish('error')
}
