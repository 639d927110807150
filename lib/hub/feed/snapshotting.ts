import type { Frame } from '../../stream/write-queue.ts'
import type { FeedAccess, Strategy } from './strategy.ts'

/** The state of a topic, as frames. */
export type Snapshot = (signal: AbortSignal) => AsyncIterable<Uint8Array>

/** A piece of a topic's state on its way to a client. */
interface StateFrame extends Frame {
  readonly topic: string
}

export function isOfState(frame: Frame): frame is StateFrame {
  return 'topic' in frame
}

/**
 * Sends the state of topics that a client has nothing of, or nothing that it could go on from: as the application makes
 * it, ahead of every event that was published since it was asked.
 */
export class Snapshotting implements Strategy {
  readonly isLive = false
  readonly #feed: FeedAccess
  // Without those that are taken away meanwhile: whoever is given one of them again did not ask for its state.
  readonly #topics: Map<string, Snapshot>
  readonly #then: { done(): void; failed(error: unknown): void }
  // The topic whose state is being made.
  #making: { readonly topic: string; readonly abort: AbortController } | undefined
  #hasBegun = false
  #room: (() => void) | undefined

  constructor(
    feed: FeedAccess,
    topics: ReadonlyMap<string, Snapshot>,
    then: { done(): void; failed(error: unknown): void },
  ) {
    this.#feed = feed
    this.#topics = new Map(topics)
    this.#then = then
  }

  goOn(): void {
    this.#room?.()
    if (this.#hasBegun) return
    this.#hasBegun = true
    this.#run().then(
      () => {
        if (this.#isCurrent) this.#then.done()
      },
      (error: unknown) => {
        if (this.#isCurrent) this.#then.failed(error)
      },
    )
  }

  retain(): void {
    for (const topic of this.#topics.keys()) if (!this.#feed.cursors.has(topic)) this.#topics.delete(topic)
    if (this.#making !== undefined && !this.#topics.has(this.#making.topic)) this.#giveUp()
  }

  stop(): void {
    this.#giveUp()
  }

  get #isCurrent(): boolean {
    return this.#feed.isCurrent(this)
  }

  #giveUp(): void {
    this.#making?.abort.abort()
    this.#room?.()
  }

  async #run(): Promise<void> {
    for (const [topic, snapshot] of this.#topics) {
      if (!this.#isCurrent) return
      if (this.#isWanted(topic)) await this.#make(topic, snapshot)
    }
  }

  async #make(topic: string, snapshot: Snapshot): Promise<void> {
    const { broker, cursors } = this.#feed
    const abort = new AbortController()
    this.#making = { topic, abort }
    // What is published from now on may be missing in the state, and comes behind it.
    cursors.advance(topic, broker.position().seq)
    try {
      for await (const frame of snapshot(abort.signal)) {
        if (!this.#isWanted(topic)) return
        await this.#send({ frame, topic })
      }
    } catch (error) {
      // Of a topic that has been taken away nobody wants to know.
      if (this.#isWanted(topic)) throw error
    } finally {
      this.#making = undefined
      abort.abort()
    }
  }

  #isWanted(topic: string): boolean {
    return this.#isCurrent && this.#topics.has(topic)
  }

  // Waits until the client has taken it: state may be larger than what may be buffered.
  async #send(frame: StateFrame): Promise<void> {
    const taken = new Promise<void>(resolve => {
      this.#room = resolve
    })
    this.#feed.write([frame])
    this.#feed.awaitTaken()
    await taken
  }
}
