import type { Buffer } from 'node:buffer'
import type { WireEvent } from '../wire/event.ts'
import { decodeFrame, encodeBody } from '../wire/frame.ts'

/** How a run ended, which is also the name of its last event. */
export type EndKind = 'done' | 'failed' | 'cancelled' | 'interrupted'

/** Event names that sources must not use, since they mark the end of a run. */
export const END_KINDS: ReadonlySet<string> = new Set<EndKind>(['done', 'failed', 'cancelled', 'interrupted'])

/** Why a run ended. The set is closed. A source's error is reported to the operator, not to readers. */
export type EndReason =
  /** done: the source ended. */
  | 'end'
  /** failed: the source threw, or returned an event that cannot be sent. */
  | 'error'
  /** failed: the source took longer than `keep`. */
  | 'time'
  /** cancelled: a permitted request cancelled it. */
  | 'request'
  /** interrupted: its instance is shutting down. */
  | 'drain'
  /** interrupted: its instance has not renewed its lease for `lease`. */
  | 'lost'

/** The most bytes of an event's id on the wire: readers get each event with one. */
export const ID_BYTES = 64

export interface End {
  readonly kind: EndKind
  readonly reason: EndReason
}

/** An event's name and its data as text. */
export type BareEvent = readonly [event: string | null, data: string]

/** Events of a run that are published together. They are numbered, beginning with 1 for the run's first event. */
export interface Batch {
  readonly first: number
  readonly events: readonly BareEvent[]
}

/**
 * An end as it is published, with the number of the last event, so that nobody takes an incomplete run for complete.
 */
export interface Ending extends End {
  /** The number of the last event before it; 0 or absent if unknown. */
  readonly last?: number
}

/** A message on the topic of a run. */
export type Entry = Batch | Ending

export function isEnd(entry: Entry): entry is Ending {
  return 'kind' in entry
}

/** Encodes an entry for the log. Its events must be redacted before: `redact` does not look inside an entry. */
export function encodeEntry(entry: Entry): Buffer {
  return encodeBody({ event: undefined, data: JSON.stringify(entry), id: undefined })
}

/** Decodes an entry; `undefined` for an unknown one, such as from a later version. */
export function decodeEntry(frame: Uint8Array): Entry | undefined {
  try {
    const entry: unknown = JSON.parse(decodeFrame(frame).data)
    if (typeof entry !== 'object' || entry === null) return undefined
    if ('kind' in entry) return END_KINDS.has(String(entry.kind)) ? (entry as Ending) : undefined
    return 'first' in entry && Number.isSafeInteger(entry.first) && 'events' in entry && Array.isArray(entry.events)
      ? (entry as Batch)
      : undefined
  } catch {
    return undefined
  }
}

export function bare({ event, data }: Pick<WireEvent, 'event' | 'data'>): BareEvent {
  return [event ?? null, data]
}
