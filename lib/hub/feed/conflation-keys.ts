import { callNow } from '../../application.ts'
import type { StoredEvent } from '../../broker/event-log.ts'
import { decodeFrame } from '../../wire/frame.ts'

/** The argument of a key function. */
export interface ConflatedEvent {
  readonly topic: string
  /** Its name, `message` if it has none. */
  readonly event: string
  /** As sent: text, or JSON. */
  readonly data: string
}

/**
 * Returns an event's key: of the events with the same key on the same topic, a slow client needs the latest only.
 * `undefined` for an event that must not be left out.
 */
export type ConflationKey = (event: ConflatedEvent) => string | undefined

/** The key function of a route. Called once per event and topic, however many slow clients have missed the event. */
export class ConflationKeys {
  readonly #keyOf: ConflationKey
  readonly #known = new WeakMap<StoredEvent, Map<string, string | undefined>>()

  constructor(keyOf: ConflationKey) {
    this.#keyOf = keyOf
  }

  /**
   * The key of an event on a topic.
   *
   * @throws what the key function throws, once per event and topic: the event has no key afterwards
   */
  of(topic: string, event: StoredEvent): string | undefined {
    let keys = this.#known.get(event)
    if (keys === undefined) {
      keys = new Map()
      this.#known.set(event, keys)
    }
    if (keys.has(topic)) return keys.get(topic)
    keys.set(topic, undefined)
    const key: unknown = callNow('`buffer.key`', () => this.#keyOf({ topic, ...decodeFrame(event.frame) }))
    if (key !== undefined && typeof key !== 'string') {
      throw new TypeError(`\`buffer.key\` must return a string or undefined, not ${key === null ? 'null' : typeof key}`)
    }
    keys.set(topic, key)
    return key
  }
}
