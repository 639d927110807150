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

// Milliseconds over which the revalidation of all logins is spread after control messages may have been missed: most
// likely the store they are in has just recovered as well.
const VERIFICATION_SPREAD = 1_000

/** How long an ended response may take to close once its client has read everything, in milliseconds. */
export const CLOSE_TIMEOUT = 5_000

/** What the timers need of the hub. */
export interface StreamTimersHub {
  readonly wheel: TimerWheel
  readonly clock: Clock
  failed(during: string, error: unknown, stream: StreamInfo): void
}

/**
 * The timed behaviour of a stream: heartbeats, detection of stalled clients, revalidation of its identity, maximum age
 * and expiry. All times are by the monotonic clock: setting the system clock neither ends nor prolongs a stream.
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
  // Since when bytes have been waiting without the client reading any, and the writer's progress at that time.
  #stalledSince = Infinity
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
    // Jitter: streams opened together must not end together.
    this.#agedAt = maxAge === undefined ? Infinity : now + maxAge * (0.9 + clock.random() * 0.1)
    this.#expiresAt = now + (stream.identity?.expiresAt ?? Infinity) - clock.now()
  }

  /** Called once the stream is open. */
  start(): void {
    const { clock, wheel } = this.#hub
    const now = clock.monotonic()
    this.#stream.writer.wroteAt = now
    if (this.#revalidation !== undefined) {
      // Jitter: streams opened together must not all query the store in the same second.
      const first = now + this.#revalidation.interval * (0.5 + clock.random() * 0.5)
      this.#revalidateAt = Math.min(this.#revalidateAt, first)
    }
    // The stream may have been closed while its history was loaded.
    if (this.#phase === 'live') wheel.schedule(this, this.#next())
    else this.stop(this.#closeReason, false)
  }

  /** The login may have ended: revalidates it soon, or ends the stream if its authenticator cannot revalidate. */
  verify(): void {
    if (this.#revalidation === undefined) {
      this.#stream.finish('unverifiable')
      return
    }
    const { clock, wheel } = this.#hub
    this.#revalidateAt = Math.min(this.#revalidateAt, clock.monotonic() + clock.random() * VERIFICATION_SPREAD)
    // If it is still opening, `start` schedules it.
    if (this.appointment !== undefined && this.#phase === 'live') wheel.hasten(this, this.#revalidateAt)
  }

  /** Bytes are now waiting for the client. */
  watch(): void {
    if (this.#phase === 'gone') return
    const now = this.#hub.clock.monotonic()
    this.#noteProgress(now)
    this.#hub.wheel.hasten(this, now + this.#policy.stall)
  }

  /**
   * The stream is ending: only checks from now on that the client reads what is left. Not while the stream is opening:
   * nothing can be read yet, and the resolver has its own timeout.
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
    if (this.#isStalled(now)) {
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
    return Math.min(this.#endsAt, this.#revalidateAt, beatAt, this.#stalledSince + stall)
  }

  #beat(now: number): void {
    const { heartbeat } = this.#policy
    const { writer } = this.#stream
    if (heartbeat !== undefined && now - writer.wroteAt >= heartbeat.interval) writer.beat(heartbeat.chunk, now)
  }

  #awaitEnd(now: number): number | undefined {
    const { writer } = this.#stream
    if (writer.progress !== this.#progress) this.#noteProgress(this.#lastReadAt(now))
    const patience = writer.waitingBytes > 0 ? this.#policy.stall : CLOSE_TIMEOUT
    if (now < this.#stalledSince + patience) return this.#stalledSince + patience
    this.#stream.abandon(this.#closeReason)
    return undefined
  }

  // Whether bytes are waiting, and none has been read for as long as the policy allows.
  #isStalled(now: number): boolean {
    const { writer } = this.#stream
    if (writer.waitingBytes === 0) {
      this.#stalledSince = Infinity
      writer.unwatch()
      return false
    }
    if (this.#stalledSince === Infinity) this.#noteProgress(now)
    else if (writer.progress !== this.#progress) this.#noteProgress(this.#lastReadAt(now))
    return now - this.#stalledSince >= this.#policy.stall
  }

  // When the client last read something, not when that was noticed.
  #lastReadAt(now: number): number {
    return Math.max(this.#stalledSince, this.#stream.writer.takenAt ?? now)
  }

  #noteProgress(now: number): void {
    this.#stalledSince = now
    this.#progress = this.#stream.writer.progress
  }

  async #revalidate(revalidation: Revalidation): Promise<void> {
    const { identity } = this.#stream
    if (identity === undefined) return
    // The next check is due an interval after this one has finished, or sooner after a call of `verify`.
    this.#revalidateAt = Infinity
    const { grace, interval } = revalidation
    const { clock } = this.#hub
    try {
      const limit = { clock, ms: Math.max(grace, TICK), what: '`revalidation.holds`' }
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
    // `verify` may have been called meanwhile.
    this.#revalidateAt = Math.min(this.#revalidateAt, clock.monotonic() + interval)
    this.#hub.wheel.hasten(this, this.#revalidateAt)
  }
}
