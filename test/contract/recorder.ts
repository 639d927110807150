import type { BrokerListener, ControlMessage } from '../../lib/broker/broker.ts'
import type { StoredEvent } from '../../lib/broker/event-log.ts'
import type { GapReason } from '../../lib/wire/frame.ts'
import { Progress } from '../support/progress.ts'

export interface Heard {
  readonly topics: readonly string[]
  readonly event: StoredEvent
}

/** Listens to an engine, and lets tests wait for what they expect to hear. */
export class Recorder implements BrokerListener {
  readonly heard: Heard[] = []
  readonly gaps: { topics: readonly string[]; reason: GapReason }[] = []
  readonly messages: ControlMessage[] = []
  readonly faults: unknown[] = []
  ready: boolean | undefined
  readonly #progress = new Progress()

  event(topics: readonly string[], event: StoredEvent): void {
    this.heard.push({ topics: [...topics], event })
    this.#progress.announce()
  }

  gap(topics: readonly string[], reason: GapReason): void {
    this.gaps.push({ topics, reason })
    this.#progress.announce()
  }

  control(message: ControlMessage): void {
    this.messages.push(message)
    this.#progress.announce()
  }

  readiness(ready: boolean): void {
    this.ready = ready
    this.#progress.announce()
  }

  fault(_during: string, error: unknown): void {
    this.faults.push(error)
    this.#progress.announce()
  }

  /** Waits until the engine says that it is ready, or is not. */
  untilReady(ready = true): Promise<boolean> {
    return this.#progress.until(
      () => (this.ready === ready ? true : undefined),
      () => `the engine did not say that it is ${ready ? 'ready' : 'lost'}`,
    )
  }

  /** Waits until this id is heard, and answers the ids of all that was heard up to then. */
  until(id: string): Promise<string[]> {
    return this.#progress.until(
      () => {
        const ids = this.heard.map(({ event }) => idOf(event))
        return ids.includes(id) ? ids : undefined
      },
      () => `${id} was not heard among ${this.heard.length} events`,
    )
  }

  /** Waits until so many messages are heard. */
  untilMessages(count: number): Promise<ControlMessage[]> {
    return this.#progress.until(
      () => (this.messages.length >= count ? this.messages : undefined),
      () => `${this.messages.length} of ${count} messages were heard`,
    )
  }
}

/** The id in an event's frame. */
export function idOf({ frame }: StoredEvent): string {
  return /^id: (.*)\n/.exec(Buffer.from(frame).toString())?.[1] ?? ''
}
