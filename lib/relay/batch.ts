import type { Buffer } from 'node:buffer'
import type { WireEvent } from '../wire/event.ts'
import { decodeFrame, encodeBody } from '../wire/frame.ts'

/** How a run has ended, which is the name of its last event. */
export type EndKind = 'done' | 'failed' | 'cancelled' | 'interrupted'

/** Names that a source may not give its events: they say that the run has ended. */
export const END_KINDS: ReadonlySet<string> = new Set<EndKind>(['done', 'failed', 'cancelled', 'interrupted'])

/** Why it has. The vocabulary is closed; what went wrong with a source is for the operator, not for readers. */
export type EndReason =
  /** done: the source is. */
  | 'end'
  /** failed: the source threw, or had an event that cannot be sent. */
  | 'error'
  /** failed: the source took longer than `keep`. */
  | 'time'
  /** cancelled: somebody with the right to has cancelled it. */
  | 'request'
  /** interrupted: the instance that it ran on is shutting down. */
  | 'drain'
  /** interrupted: the instance that it ran on has not been heard of for `lease`. */
  | 'lost'

/** What the id of an event may take on the wire, in bytes: readers get each event with one. */
export const ID_BYTES = 64

export interface End {
  readonly kind: EndKind
  readonly reason: EndReason
}

/** An event's name and its data, as text. */
export type BareEvent = readonly [event: string | null, data: string]

/** Events of a run that are published together, numbered from the run's first one on, which has the number 1. */
export interface Batch {
  readonly first: number
  readonly events: readonly BareEvent[]
}

/** An end as it is published: behind which event, so that nobody takes less for the whole. */
export interface Ending extends End {
  /** The number of the last event before it; 0 or nothing where that is not known. */
  readonly last?: number
}

/** What is published on the topic of a run. */
export type Entry = Batch | Ending

export function isEnd(entry: Entry): entry is Ending {
  return 'kind' in entry
}

/** An entry as the log takes it. Redaction is over by then: what is nested in it would not be found. */
export function encodeEntry(entry: Entry): Buffer {
  return encodeBody({ event: undefined, data: JSON.stringify(entry), id: undefined })
}

/** Reads what has come by the topic of a run; `undefined` for what is none of ours, such as of a later version. */
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
