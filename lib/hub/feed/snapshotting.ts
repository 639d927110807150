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
  readonly #topics: ReadonlyMap<string, Snapshot>
  readonly #then: { done(): void; failed(error: unknown): void }
  readonly #abort = new AbortController()
  #hasBegun = false
  #room: (() => void) | undefined

  constructor(
    feed: FeedAccess,
    topics: ReadonlyMap<string, Snapshot>,
    then: { done(): void; failed(error: unknown): void },
  ) {
    this.#feed = feed
    this.#topics = topics
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
    // What is left is made for the topics that are left: that is looked at before each piece.
  }

  stop(): void {
    this.#abort.abort()
    this.#room?.()
  }

  get #isCurrent(): boolean {
    return this.#feed.isCurrent(this)
  }

  async #run(): Promise<void> {
    const { broker, cursors } = this.#feed
    try {
      for (const [topic, snapshot] of this.#topics) {
        if (!cursors.has(topic)) continue
        // What is published from now on may be missing in the state, and comes behind it.
        cursors.advance(topic, broker.position().seq)
        for await (const frame of snapshot(this.#abort.signal)) {
          if (!this.#isCurrent) return
          if (!cursors.has(topic)) break
          await this.#send({ frame, topic })
        }
      }
    } finally {
      this.#abort.abort()
    }
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
