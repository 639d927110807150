import type { Attributes } from '@opentelemetry/api'
import { callNow } from '../application.ts'

/** Describes the destinations of events in spans. */
export class Destinations {
  readonly #name: ((topic: string) => string) | undefined
  readonly #tellsTopics: boolean

  constructor(name: ((topic: string) => string) | undefined, tellsTopics: boolean) {
    this.#name = name
    this.#tellsTopics = tellsTopics
  }

  /** The kind of an event's first topic; `undefined` if there is none. Topics may be unchecked. */
  kindOf(topics: unknown): string | undefined {
    const topic = firstOf(topics)
    if (topic === undefined || this.#name === undefined) return undefined
    const name = this.#name
    try {
      const kind: unknown = callNow('`topic`', () => name(topic))
      return typeof kind === 'string' && kind !== '' ? kind : undefined
    } catch {
      // A span without a kind is better than a failed publish.
      return undefined
    }
  }

  /** The semantic-convention attributes for an event's first topic. */
  attributesOf(topics: unknown): Attributes {
    const kind = this.kindOf(topics)
    const topic = firstOf(topics)
    const name = this.#tellsTopics ? topic : kind
    return {
      'messaging.system': 'koa-event-stream',
      ...(name !== undefined && { 'messaging.destination.name': name }),
      ...(kind !== undefined && { 'messaging.destination.template': kind }),
    }
  }
}

function firstOf(topics: unknown): string | undefined {
  const first: unknown = Array.isArray(topics) ? topics[0] : topics
  return typeof first === 'string' ? first : undefined
}
