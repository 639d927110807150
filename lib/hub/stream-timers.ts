import type { Revalidation } from '../auth/authenticator.ts'
import type { Identity } from '../auth/identity.ts'
import type { Clock } from '../clock.ts'
import { callInTime } from '../application.ts'
import type { CloseReason } from '../stream/close-reason.ts'
import type { EventStream } from '../stream/event-stream.ts'
import type { EventMap } from '../wire/event.ts'
import { safeError } from '../safe-error.ts'
import type { StreamInfo } from './lifecycle.ts'
import type { StreamPolicy } from './stream-policy.ts'
import { TICK, type Task, type TimerWheel } from './timer-wheel.ts'

// Over how many milliseconds the logins of all streams are asked again when something may have been missed: the store that
// they are in has just been away itself, most likely.
const VERIFICATION_SPREAD = 1_000

/** How long an ended response may take to close once its client has taken everything, in milliseconds. */
export const CLOSE_TIMEOUT = 5_000

/** What the timers need of the hub. */
export interface StreamTimersHub {
  readonly wheel: TimerWheel
  readonly clock: Clock
  failed(during: string, error: unknown, stream: StreamInfo): void
}

/**
 * What a stream does as time goes by: it sends heartbeats, notices a client that is stuck, asks whether its identity still
 * holds, and ends when its time is up. All times are those of the monotonic clock: a system clock that is set back or
 * forth ends no stream, and keeps none.
 */
export class StreamTimers implements Task {
  appointment: number | undefined

  readonly #hub: StreamTimersHub
  readonly #stream: EventStream<EventMap, Identity | undefined>
  readonly #policy: StreamPolicy
  readonly #revalidation: Revalidation | undefined
  readonly #agedAt: number
  readonly #expiresAt: number
  #phase: 'live' | 'ending' | 'gone' = 'live'
  #closeReason: CloseReason = 'server'
  #revalidateAt = Infinity
  #heldAt: number
  // Since when bytes have been waiting of which the client has taken none, and how far it had got then.
  #stuckSince = Infinity
  #progress = 0

  constructor(
    hub: StreamTimersHub,
    stream: EventStream<EventMap, Identity | undefined>,
    policy: StreamPolicy,
    revalidation: Revalidation | undefined,
  ) {
    this.#hub = hub
    this.#stream = stream
    this.#policy = policy
    this.#revalidation = revalidation
    const { clock } = hub
    const now = clock.monotonic()
    this.#heldAt = now
    const { maxAge } = policy
    // Streams that were opened together must not end together.
    this.#agedAt = maxAge === undefined ? Infinity : now + maxAge * (0.9 + clock.random() * 0.1)
    this.#expiresAt = now + (stream.identity?.expiresAt ?? Infinity) - clock.now()
  }

  /** The stream has been opened. */
  start(): void {
    const { clock, wheel } = this.#hub
    const now = clock.monotonic()
    this.#stream.writer.wroteAt = now
    if (this.#revalidation !== undefined) {
      // Clients that came together must not all ask the store in the same second.
      const first = now + this.#revalidation.interval * (0.5 + clock.random() * 0.5)
      this.#revalidateAt = Math.min(this.#revalidateAt, first)
    }
    // It may have been closed while its history was fetched.
    if (this.#phase === 'live') wheel.schedule(this, this.#next())
    else this.stop(this.#closeReason, false)
  }

  /** The login may have ended. It is asked again soon; where nobody can be asked, the stream ends. */
  verify(): void {
    if (this.#revalidation === undefined) {
      this.#stream.finish('unverifiable')
      return
    }
    const { clock, wheel } = this.#hub
    this.#revalidateAt = Math.min(this.#revalidateAt, clock.monotonic() + clock.random() * VERIFICATION_SPREAD)
    // A stream that is still being opened is asked about when it has been.
    if (this.appointment !== undefined && this.#phase === 'live') wheel.hasten(this, this.#revalidateAt)
  }

  /** Bytes have begun to wait for the client. */
  watch(): void {
    if (this.#phase === 'gone') return
    const now = this.#hub.clock.monotonic()
    this.#noteProgress(now)
    this.#hub.wheel.hasten(this, now + this.#policy.stall)
  }

  /**
   * The stream is ending: what is left is to see that its client takes what waits. Not while it is only being prepared:
   * nobody can take anything then, and the resolver has a time of its own.
   */
  stop(reason: CloseReason, isOpening: boolean): void {
    if (this.#phase === 'gone') return
    const now = this.#hub.clock.monotonic()
    this.#phase = 'ending'
    this.#closeReason = reason
    if (isOpening) return
    this.#noteProgress(now)
    this.#hub.wheel.schedule(this, now + Math.min(this.#policy.stall, CLOSE_TIMEOUT))
  }

  /** The stream is gone. */
  cancel(): void {
    this.#phase = 'gone'
    this.#hub.wheel.cancel(this)
  }

  run(now: number): number | undefined {
    const stream = this.#stream
    if (this.#phase !== 'live') return this.#awaitEnd(now)
    if (now >= this.#endsAt) {
      stream.finish(now >= this.#expiresAt ? 'expired' : 'max-age')
      return undefined
    }
    if (this.#isStuck(now)) {
      stream.abandon('slow')
      return undefined
    }
    this.#beat(now)
    if (now >= this.#revalidateAt && this.#revalidation !== undefined) void this.#revalidate(this.#revalidation)
    return this.#next()
  }

  get #endsAt(): number {
    return Math.min(this.#agedAt, this.#expiresAt)
  }

  #next(): number {
    const { heartbeat, stall } = this.#policy
    const beatAt = heartbeat === undefined ? Infinity : this.#stream.writer.wroteAt + heartbeat.interval
    return Math.min(this.#endsAt, this.#revalidateAt, beatAt, this.#stuckSince + stall)
  }

  #beat(now: number): void {
    const { heartbeat } = this.#policy
    const { writer } = this.#stream
    if (heartbeat !== undefined && now - writer.wroteAt >= heartbeat.interval) writer.beat(heartbeat.chunk, now)
  }

  #awaitEnd(now: number): number | undefined {
    const { writer } = this.#stream
    if (writer.progress !== this.#progress) this.#noteProgress(this.#takenBy(now))
    const patience = writer.waitingBytes > 0 ? this.#policy.stall : CLOSE_TIMEOUT
    if (now < this.#stuckSince + patience) return this.#stuckSince + patience
    this.#stream.abandon(this.#closeReason)
    return undefined
  }

  // Bytes wait, and none has been taken for as long as the policy allows.
  #isStuck(now: number): boolean {
    const { writer } = this.#stream
    if (writer.waitingBytes === 0) {
      this.#stuckSince = Infinity
      writer.unwatch()
      return false
    }
    if (this.#stuckSince === Infinity) this.#noteProgress(now)
    else if (writer.progress !== this.#progress) this.#noteProgress(this.#takenBy(now))
    return now - this.#stuckSince >= this.#policy.stall
  }

  // A look comes some time after the client has taken something: it is not to have that time on top.
  #takenBy(now: number): number {
    return Math.max(this.#stuckSince, this.#stream.writer.takenAt ?? now)
  }

  #noteProgress(now: number): void {
    this.#stuckSince = now
    this.#progress = this.#stream.writer.progress
  }

  async #revalidate(revalidation: Revalidation): Promise<void> {
    const { identity } = this.#stream
    if (identity === undefined) return
    // The next question is asked an interval after this one is answered, or sooner if the login comes into doubt.
    this.#revalidateAt = Infinity
    const { grace, interval } = revalidation
    const { clock } = this.#hub
    try {
      // What never answers fails, too.
      const limit = { clock, ms: Math.max(grace, TICK), what: 'the question whether the identity still holds' }
      if (!(await callInTime(limit, () => revalidation.holds(identity)))) {
        this.#stream.finish('logout')
        return
      }
      this.#heldAt = clock.monotonic()
    } catch (error) {
      this.#hub.failed('revalidation', safeError(error, [identity.session, identity.token]), this.#stream)
      if (clock.monotonic() - this.#heldAt >= grace) {
        this.#stream.finish('unverifiable')
        return
      }
    }
    if (this.#phase !== 'live') return
    // It may have come into doubt while it was asked.
    this.#revalidateAt = Math.min(this.#revalidateAt, clock.monotonic() + interval)
    this.#hub.wheel.hasten(this, this.#revalidateAt)
  }
}
