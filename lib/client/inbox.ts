import type { Message } from './connection.ts'
import { isUpTo } from './position.ts'

/** How many events may wait to be told before the stream is paused. */
export const MOST_WAITING = 1_000
// How many ids of the page's own actions are remembered.
const MOST_OWN = 1_000

/** Who is told. */
export interface InboxHost {
  deliver(message: Message): void
  /** As many wait as may. */
  full(): void
  /** Nothing waits any more. */
  empty(): void
}

/** Events on their way to the application: they wait in order while anything holds them, such as a state that is being loaded. */
export class Inbox {
  readonly #host: InboxHost
  #waiting: Message[] = []
  #holds = 0
  // What the application's state includes.
  #included = ''
  readonly #own = new Set<string>()

  constructor(host: InboxHost) {
    this.#host = host
  }

  take(message: Message): void {
    this.#waiting.push(message)
    if (this.#holds === 0) this.#flush()
    else if (this.#waiting.length >= MOST_WAITING) this.#host.full()
  }

  /** Keeps events waiting until the answer is called, once. */
  hold(): () => void {
    let isHeld = true
    this.#holds += 1
    return () => {
      if (!isHeld) return
      isHeld = false
      this.#holds -= 1
      if (this.#holds === 0) this.#flush()
    }
  }

  /** Tells no events up to this id: the state that was loaded includes them. */
  include(cursor: string): void {
    if (!isUpTo(cursor, this.#included)) this.#included = cursor
  }

  /** Does not tell these events: the page has shown what it did itself. */
  skip(ids: readonly string[]): void {
    for (const id of ids) this.#own.add(id)
    for (const id of this.#own) {
      if (this.#own.size <= MOST_OWN) return
      this.#own.delete(id)
    }
  }

  clear(): void {
    this.#waiting = []
  }

  // A listener may have more of them wait, or end it all.
  #flush(): void {
    while (this.#holds === 0) {
      const message = this.#waiting.shift()
      if (message === undefined) {
        this.#host.empty()
        return
      }
      if (!this.#isSkipped(message)) this.#host.deliver(message)
    }
  }

  #isSkipped({ event, id, hasId }: Message): boolean {
    // Those without an id of their own are in no history, and in no state.
    return hasId && event !== 'cursor' && (isUpTo(id, this.#included) || this.#own.delete(id))
  }
}
