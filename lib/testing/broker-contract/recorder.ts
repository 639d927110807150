import type { BrokerListener, ControlMessage } from '../../broker/broker.ts'
import type { StoredEvent } from '../../broker/event-log.ts'
import type { GapReason } from '../../wire/notices.ts'
import { Journal } from '../journal.ts'
import { idOf } from './parts.ts'

export interface Heard {
  readonly topics: readonly string[]
  readonly event: StoredEvent
}

// Reached only when something is wrong: a machine may have ten other things to do.
const PATIENCE = 120_000

/** Listens to an engine, and lets tests wait for what they expect to hear. */
export class Recorder implements BrokerListener {
  readonly heard: Heard[] = []
  readonly gaps: { readonly topics: readonly string[]; readonly reason: GapReason }[] = []
  readonly messages: ControlMessage[] = []
  readonly faults: unknown[] = []
  ready: boolean | undefined
  readonly #progress = new Journal<never>(
    () => `${this.heard.length} events and ${this.messages.length} messages were heard.`,
  )

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
  async untilReady(ready = true): Promise<void> {
    await this.#until(`the engine to say that it is ${ready ? 'ready' : 'lost'}`, () =>
      this.ready === ready ? true : undefined,
    )
  }

  /** Waits until this id is heard, and answers the ids of all that was heard up to then. */
  until(id: string): Promise<string[]> {
    return this.#until(id, () => {
      const ids = this.heard.map(({ event }) => idOf(event))
      return ids.includes(id) ? ids : undefined
    })
  }

  /** Waits until so many messages are heard. */
  untilMessages(count: number): Promise<ControlMessage[]> {
    return this.#until(`${count} messages`, () => (this.messages.length >= count ? this.messages : undefined))
  }

  /** Waits until something was lost. */
  async untilGap(): Promise<void> {
    await this.#until('a gap', () => (this.gaps.length > 0 ? true : undefined))
  }

  #until<T>(what: string, find: () => T | undefined): Promise<T> {
    return this.#progress.until(find, () => undefined, { what, within: PATIENCE })
  }
}
