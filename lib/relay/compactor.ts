import { callNow } from '../application.ts'
import type { HubEngine } from '../hub/engine.ts'
import { checkEvent, type EventInput } from '../wire/event.ts'
import { encodeBody } from '../wire/frame.ts'
import { bare, END_KINDS, ID_BYTES } from './batch.ts'
import type { SentEvent } from './options.ts'
import type { Compactor } from './run-log.ts'

/** Compacts events by the application's function. Its errors are reported, and the events stay as they are. */
export function compactorOf(compact: (events: readonly SentEvent[]) => EventInput, hub: HubEngine): Compactor {
  return events => {
    try {
      const sent = events.map(([event, data]) => ({ event: event ?? 'message', data }))
      const checked = checkEvent(
        callNow('`compact`', () => compact(sent)),
        hub.redact,
      )
      const { length } = encodeBody(checked)
      if (length > hub.maxEventBytes - ID_BYTES || checked.id !== undefined || END_KINDS.has(checked.event ?? '')) {
        throw new TypeError('`compact` must return one valid event, without an `id`')
      }
      return bare(checked)
    } catch (error) {
      hub.failed('compact', error)
      return undefined
    }
  }
}
