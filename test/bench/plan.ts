import { setTimeout } from 'node:timers/promises'
import { markedData, now } from './mark.ts'

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
  /** Bytes of data of an event. */
  readonly bytes: number
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

  /** Resolves when everything has been published. What is late is made up for, as an application that is busy does. */
  async follow({ seconds, parts }: Plan): Promise<Published> {
    const first = now()
    const done: unknown[] = []
    const cursors = parts.map(part => ({ part, sent: 0, total: part.each * part.topics.length }))
    while (cursors.some(({ sent, total }) => sent < total)) {
      const passed = (now() - first) / 1e6 / seconds
      for (const cursor of cursors) {
        const due = Math.min(cursor.total, 1 + Math.floor(passed * cursor.total))
        for (; cursor.sent < due; cursor.sent += 1) done.push(this.#send(cursor.part, cursor.sent))
      }
      const next = Math.min(...cursors.filter(c => c.sent < c.total).map(c => c.sent / c.total)) * seconds * 1_000
      if (next !== Infinity) await setTimeout(Math.max(0, next - (now() - first) / 1_000))
    }
    await Promise.all(done)
    return { first }
  }

  #send({ topics, lane, bytes }: PlanPart, index: number): unknown {
    const topic = topics[index % topics.length]
    if (topic === undefined) throw new RangeError('a part of a plan has topics')
    const seq = this.#seqs.get(topic) ?? 0
    this.#seqs.set(topic, seq + 1)
    return this.#publish(topic, markedData(lane, seq, bytes))
  }
}
