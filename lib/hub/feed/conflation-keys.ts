import { callNow } from '../../application.ts'
import type { StoredEvent } from '../../broker/event-log.ts'
import { decodeFrame } from '../../wire/frame.ts'

/** An event as a key function sees it. */
export interface ConflatedEvent {
  readonly topic: string
  /** Its name, `message` where it has none. */
  readonly event: string
  /** As it was sent: text, or JSON. */
  readonly data: string
}

/**
 * Says which events stand for one another: of those with the same key on the same topic the latest is enough.
 * `undefined` for an event that nothing stands for.
 */
export type ConflationKey = (event: ConflatedEvent) => string | undefined

/** A route's keys. Each event is asked about once a topic, however many slow clients have missed it. */
export class ConflationKeys {
  readonly #keyOf: ConflationKey
  readonly #known = new WeakMap<StoredEvent, Map<string, string | undefined>>()

  constructor(keyOf: ConflationKey) {
    this.#keyOf = keyOf
  }

  /**
   * The key of an event on a topic.
   *
   * @throws what the key function throws, once an event; it has no key then
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
      throw new TypeError(`\`buffer.key\` must answer a string or undefined, not ${key === null ? 'null' : typeof key}`)
    }
    keys.set(topic, key)
    return key
  }
}
