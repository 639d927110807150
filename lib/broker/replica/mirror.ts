import type { Slice } from '../event-log.ts'
import { History, type HistoryLimits } from '../history.ts'
import type { LoggedEvent } from '../redis/message.ts'

/**
 * What this instance has of one topic: every event since it began to listen, and once it was loaded all of the topic's
 * history. Bounded by the same limits as the log, so that a loaded mirror never has less than Redis.
 */
export class Mirror {
  readonly topic: string
  /** Since when no stream has had the topic, by the monotonic clock. */
  idleSince: number | undefined
  /** The one fetch of history that is under way. */
  loading: Promise<void> | undefined

  readonly #limits: HistoryLimits
  #history: History | undefined
  #loaded = false
  #held: LoggedEvent[] | undefined = []
  #live = deferred()
  // Publishers of this instance that wait until their event has been handed on here.
  readonly #publishers = new Map<number, Deferred>()

  constructor(topic: string, limits: HistoryLimits) {
    this.topic = topic
    this.#limits = limits
  }

  /** Events that came while it is not known what stands before them. `undefined` while the mirror is live. */
  get held(): LoggedEvent[] | undefined {
    return this.#held
  }

  /** Resolved when events of the topic arrive and nothing is missing from there on. */
  get live(): Promise<void> {
    return this.#live.promise
  }

  /** The `seq` of the last event that was handed on, `undefined` before the first look into the log. */
  get last(): number | undefined {
    return this.#history?.last
  }

  /** Resolves when an event has been handed on, or at once where it need not be waited for: it is held, or was before. */
  handedOn(seq: number): Promise<void> | undefined {
    if (this.#held !== undefined || this.#history === undefined || seq <= this.#history.last) return undefined
    const publisher = this.#publishers.get(seq) ?? deferred()
    this.#publishers.set(seq, publisher)
    return publisher.promise
  }

  /** Whether history after a `seq` would have to be fetched. */
  lacks(since: number): boolean {
    return !this.#loaded && this.#history !== undefined && since < this.#history.trimmed
  }

  /**
   * Begins, or begins anew, behind a `seq`: of what was before nothing is here.
   *
   * @param loaded whether the log has nothing of it either
   */
  begin(seq: number, loaded = false): void {
    this.#history = new History(seq)
    this.#loaded = loaded
  }

  /** Keeps aside what comes, until it is known what is missing. */
  hold(): void {
    if (this.#held !== undefined) return
    this.#held = []
    this.#release(Infinity)
    this.#live = deferred()
  }

  /** Is live from now on. */
  release(): void {
    this.#held = undefined
    this.#live.resolve()
  }

  /** Will never be live. */
  fail(error: Error): void {
    this.#live.reject(error)
    this.#release(Infinity)
  }

  append(event: LoggedEvent): void {
    this.#history?.append(event, this.#limits)
  }

  /** An event has been handed on to the streams. */
  passed(seq: number): void {
    if (this.#publishers.size > 0) this.#release(seq)
  }

  /** Puts what the log has of the topic's history before what is here. */
  load(events: readonly LoggedEvent[]): void {
    const recent = this.#history
    if (recent === undefined) return
    this.#loaded = true
    const older = events.filter(({ seq }) => seq <= recent.trimmed)
    const [first] = older
    // If the log has lost its own, what is here is still whole.
    if (first === undefined || older.at(-1)?.seq !== recent.trimmed) return
    const joined = new History(first.previous)
    for (const event of [...older, ...recent.read(recent.trimmed, Infinity).events]) joined.append(event, this.#limits)
    this.#history = joined
  }

  /** Forgets what is too old by the log's own time, in milliseconds since 1970. */
  expire(now: number): void {
    this.#history?.expire(now, this.#limits)
  }

  read(after: number, limit: number): Slice {
    return this.#history?.read(after, limit) ?? { events: [], more: false, trimmed: false }
  }

  startOfLast(count: number): number {
    return this.#history?.startOfLast(count) ?? 0
  }

  #release(seq: number): void {
    for (const [waited, publisher] of this.#publishers) {
      if (waited > seq) continue
      this.#publishers.delete(waited)
      publisher.resolve()
    }
  }
}

interface Deferred {
  readonly promise: Promise<void>
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

function deferred(): Deferred {
  let resolve: () => void = () => undefined
  let reject: (error: Error) => void = () => undefined
  const promise = new Promise<void>((...settle) => {
    ;[resolve, reject] = settle
  })
  // Nobody need be waiting when it fails.
  promise.catch(() => undefined)
  return { promise, resolve, reject }
}
