import type { EventMap } from '../wire/event.ts'
import type { Arrival, Gap } from '../wire/notices.ts'

/** What a listener gets beside the data. */
export interface About {
  /** The name of the event. */
  readonly event: string
  /** Its id, or that of the last one before it: what `Last-Event-ID` would be. */
  readonly id: string
}

/** The events that the server's library sends itself: where the stream stands, what is missing, why it ends. */
export interface OwnEvents {
  cursor: Arrival
  gap: Gap
  goaway: { readonly reason: string }
}

/** An event, as `for await` reads it. A gap is one of them. */
export type Received<Events extends object = EventMap> = string extends keyof Events
  ? { readonly event: string; readonly data: unknown; readonly id: string }
  : | {
        [Name in keyof Events & string]: { readonly event: Name; readonly data: Events[Name]; readonly id: string }
      }[keyof Events & string]
    | { readonly event: 'gap'; readonly data: Gap; readonly id: string }

/** All that can be listened to. */
export type All<Events extends object> = Omit<Events, keyof OwnEvents> & OwnEvents
