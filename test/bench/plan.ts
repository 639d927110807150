import { setTimeout } from 'node:timers/promises'
import { markedData, now } from './mark.ts'
import { textOf, type TextKind } from './texts.ts'

/** What is to be published, at an even pace. */
export interface Plan {
  readonly seconds: number
  readonly parts: readonly PlanPart[]
}

export interface PlanPart {
  /** Published to in turn. */
  readonly topics: readonly string[]
  /** Events for each topic. */
  readonly each: number
  /** Tells topics of one stream apart: 0 to 9. A stream has one topic of each lane at most. */
  readonly lane: number
  /** Bytes of data of an event, or the kind of text that is its data. */
  readonly data: number | TextKind
}

/** The events that a stream gets which has one topic of each part. */
export function eventsOf({ parts }: Plan): number {
  return parts.reduce((sum, { each }) => sum + each, 0)
}

export interface Published {
  /** When the first event was published, in microseconds. */
  readonly first: number
}

/** Hands an event to all streams of a topic. */
export type Publish = (topic: string, data: string) => unknown

/** Publishes by plans. Each topic's events are numbered from 0, over all plans. */
export class Publisher {
  readonly #publish: Publish
  readonly #seqs = new Map<string, number>()

  constructor(publish: Publish) {
    this.#publish = publish
  }

  /**
   * Publishes each event in a callback of its own, as events come from requests and messages: what is late because the
   * process was busy comes in the same turn of the event loop, and is yet not known of together.
   *
   * @returns when everything has been published
   */
  async follow({ seconds, parts }: Plan): Promise<Published> {
    const first = now()
    const published = parts.map(part => {
      const total = part.each * part.topics.length
      const delay = (seconds * 1_000) / total
      return Promise.all(Array.from({ length: total }, (_, i) => this.#send(part, i, first, i * delay)))
    })
    await Promise.all(published)
    return { first }
  }

  async #send({ topics, lane, data }: PlanPart, index: number, first: number, delay: number): Promise<unknown> {
    await setTimeout(Math.ceil(delay))
    const topic = topics[index % topics.length]
    if (topic === undefined) throw new RangeError('a part of a plan has topics')
    const seq = this.#seqs.get(topic) ?? 0
    this.#seqs.set(topic, seq + 1)
    const due = first + delay * 1_000
    const marked = typeof data === 'number' ? markedData(lane, seq, due, data) : markedText(lane, seq, due, data)
    return this.#publish(topic, marked)
  }
}

function markedText(lane: number, seq: number, due: number, kind: TextKind): string {
  return markedData(lane, seq, due, 0) + textOf(kind, seq)
}
