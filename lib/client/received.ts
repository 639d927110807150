import type { EventMap } from '../wire/event.ts'
import type { Arrival, Gap } from '../wire/notices.ts'

/** Metadata of an event for listeners. */
export interface About {
  /** The name of the event. */
  readonly event: string
  /** Its id, or that of the last event that had one: the value of `Last-Event-ID`. */
  readonly id: string
}

/** The library's own events from the server: the cursor, gaps, and why the stream ends. */
export interface OwnEvents {
  cursor: Arrival
  gap: Gap
  goaway: { readonly reason: string }
}

/** An event from `for await`. Gaps are included. */
export type Received<Events extends object = EventMap> = string extends keyof Events
  ? { readonly event: string; readonly data: unknown; readonly id: string }
  : | {
        [Name in keyof Events & string]: { readonly event: Name; readonly data: Events[Name]; readonly id: string }
      }[keyof Events & string]
    | { readonly event: 'gap'; readonly data: Gap; readonly id: string }

/** All events that can be listened to. */
export type All<Events extends object> = Omit<Events, keyof OwnEvents> & OwnEvents
