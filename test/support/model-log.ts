import type { EventInput } from 'koa-event-stream'

/** An event as the oracle knows it. */
export interface Published {
  readonly topics: readonly string[]
  /** Its place in the log, `undefined` while it is not known to have one. */
  seq: number | undefined
}

/** Whatever can publish: a hub, or a publisher without one. */
export interface Target {
  publish(topics: readonly string[], event: EventInput): Promise<string>
}

/** Knows every publish. An event's data begins with its number here. */
export class ModelLog {
  readonly published: Published[] = []

  /** Publishes, and answers the `seq`, or `undefined` if that was rejected: the event may have got into the log, or not. */
  async say(target: Target, topics: readonly string[], padding = ''): Promise<number | undefined> {
    const event: Published = { topics, seq: undefined }
    const number = this.published.push(event) - 1
    try {
      event.seq = seqOf(await target.publish(topics, { data: `${number} ${padding}` }))
    } catch {
      return undefined
    }
    return event.seq
  }

  /** Takes note of where an event has been seen; answers what is wrong with that. */
  saw(number: number, seq: number): string | undefined {
    const event = this.published[number]
    if (event === undefined) return `event ${number} was never published`
    event.seq ??= seq
    return event.seq === seq ? undefined : `event ${number} is at ${event.seq} and at ${seq}`
  }
}

export function seqOf(id: string): number {
  return Number(id.split('-')[1])
}
