import type { Frame } from '../../stream/write-queue.ts'
import type { FeedAccess, Strategy } from './strategy.ts'

/** The state of a topic, as frames. */
export type Snapshot = (signal: AbortSignal) => AsyncIterable<Uint8Array>

/** A frame of a topic's state. */
interface StateFrame extends Frame {
  readonly topic: string
}

export function isOfState(frame: Frame): frame is StateFrame {
  return 'topic' in frame
}

/**
 * Sends the state of topics to a client that is new or cannot resume. The application creates the state; events
 * published since it was asked for follow.
 */
export class Snapshotting implements Strategy {
  readonly isLive = false
  readonly #feed: FeedAccess
  // Without topics removed meanwhile, even if they were added again: that request had no snapshot.
  readonly #topics: Map<string, Snapshot>
  readonly #then: { done(): void; failed(error: unknown): void }
  // The topic whose state is being sent.
  #current: { readonly topic: string; readonly abort: AbortController } | undefined
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
    if (this.#current !== undefined && !this.#topics.has(this.#current.topic)) this.#abort()
  }

  stop(): void {
    this.#abort()
  }

  get #isCurrent(): boolean {
    return this.#feed.isCurrent(this)
  }

  #abort(): void {
    this.#current?.abort.abort()
    this.#room?.()
  }

  async #run(): Promise<void> {
    for (const [topic, snapshot] of this.#topics) {
      if (!this.#isCurrent) return
      if (this.#isWanted(topic)) await this.#sendState(topic, snapshot)
    }
  }

  async #sendState(topic: string, snapshot: Snapshot): Promise<void> {
    const { broker, cursors } = this.#feed
    const abort = new AbortController()
    this.#current = { topic, abort }
    // The state may lack events published from now on: they are sent after it.
    cursors.advance(topic, broker.position().seq)
    try {
      for await (const frame of snapshot(abort.signal)) {
        if (!this.#isWanted(topic)) return
        await this.#send({ frame, topic })
      }
    } catch (error) {
      // The error does not matter if the topic was removed meanwhile.
      if (this.#isWanted(topic)) throw error
    } finally {
      this.#current = undefined
      abort.abort()
    }
  }

  #isWanted(topic: string): boolean {
    return this.#isCurrent && this.#topics.has(topic)
  }

  // Waits until the client has read it: the state may be larger than the buffer.
  async #send(frame: StateFrame): Promise<void> {
    const taken = new Promise<void>(resolve => {
      this.#room = resolve
    })
    this.#feed.write([frame])
    this.#feed.awaitTaken()
    await taken
  }
}
