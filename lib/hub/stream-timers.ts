import type { Revalidation } from '../auth/authenticator.ts'
import type { Identity } from '../auth/identity.ts'
import type { Clock } from '../clock.ts'
import { within } from '../deadline.ts'
import type { CloseReason } from '../stream/close-reason.ts'
import type { EventStream } from '../stream/event-stream.ts'
import type { EventMap } from '../wire/event.ts'
import type { StreamInfo } from './lifecycle.ts'
import type { StreamPolicy } from './stream-policy.ts'
import { TICK, type Task, type TimerWheel } from './timer-wheel.ts'

/** How long a client gets to take the last bytes of a stream that ends, in milliseconds. */
export const CLOSE_TIMEOUT = 5_000

/** What a pulse needs of the hub. */
export interface StreamTimersHub {
  readonly wheel: TimerWheel
  readonly clock: Clock
  failed(during: string, error: unknown, stream: StreamInfo): void
}

/**
 * What a stream does as time goes by: it keeps the connection alive, notices a client that is stuck, asks whether its
 * identity still holds, and ends when its time is up.
 */
export class StreamTimers implements Task {
  appointment: number | undefined

  readonly #hub: StreamTimersHub
  readonly #stream: EventStream<EventMap, Identity | undefined>
  readonly #policy: StreamPolicy
  readonly #revalidation: Revalidation | undefined
  #agedAt: number
  #endReason: CloseReason | undefined
  #revalidateAt = Infinity
  #heldAt: number
  #delivered = 0
  #stalledAt = Infinity

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
    const now = hub.clock.now()
    this.#heldAt = now
    const { maxAge } = policy
    // Streams that were opened together must not end together.
    this.#agedAt = maxAge === undefined ? Infinity : now + maxAge * (0.9 + Math.random() * 0.1)
  }

  /** Begins to beat. */
  start(): void {
    const now = this.#hub.clock.now()
    this.#stream.wroteAt = now
    if (this.#revalidation !== undefined) {
      // Clients that came together must not all ask the store in the same second.
      this.#revalidateAt = now + this.#revalidation.interval * (0.5 + Math.random() * 0.5)
    }
    if (this.#endReason === undefined) this.#hub.wheel.schedule(this, this.#next(now))
  }

  /** The stream is ending: only the deadline for that is left. */
  stop(reason: CloseReason): void {
    this.#endReason = reason
    this.#hub.wheel.schedule(this, this.#hub.clock.now() + CLOSE_TIMEOUT)
  }

  /** The stream is gone. */
  cancel(): void {
    this.#hub.wheel.cancel(this)
  }

  run(now: number): number | undefined {
    const stream = this.#stream
    if (this.#endReason !== undefined) {
      stream.abandon(this.#endReason)
      return undefined
    }
    this.#followClock(now)
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
    return this.#next(now)
  }

  get #expiresAt(): number {
    return this.#stream.identity?.expiresAt ?? Infinity
  }

  get #endsAt(): number {
    return Math.min(this.#agedAt, this.#expiresAt)
  }

  // Where the clock was set back, nothing that counts from a moment before may wait for that moment to come again.
  #followClock(now: number): void {
    this.#stream.wroteAt = Math.min(this.#stream.wroteAt, now)
    this.#heldAt = Math.min(this.#heldAt, now)
    this.#agedAt = Math.min(this.#agedAt, now + (this.#policy.maxAge ?? Infinity))
    if (this.#stalledAt !== Infinity) this.#stalledAt = Math.min(this.#stalledAt, now)
    if (this.#revalidation === undefined || this.#revalidateAt === Infinity) return
    this.#revalidateAt = Math.min(this.#revalidateAt, now + this.#revalidation.interval)
  }

  #next(now: number): number {
    const { heartbeat, stall } = this.#policy
    const beatAt = heartbeat === undefined ? now + stall : this.#stream.wroteAt + heartbeat.interval
    return Math.min(this.#endsAt, this.#revalidateAt, beatAt, this.#stalledAt + stall)
  }

  #beat(now: number): void {
    const { heartbeat } = this.#policy
    if (heartbeat === undefined || now - this.#stream.wroteAt < heartbeat.interval) return
    this.#stream.wroteAt = now
    // Where bytes wait for the client already, one more would keep nothing alive.
    if (this.#stream.bufferedBytes === 0) this.#stream.deliver(heartbeat.chunk, now)
  }

  // Bytes wait, and none has left since the last look for as long as the policy allows.
  #isStuck(now: number): boolean {
    if (this.#stream.bufferedBytes === 0) {
      this.#stalledAt = Infinity
      return false
    }
    const { deliveredBytes } = this.#stream
    if (this.#stalledAt === Infinity || deliveredBytes !== this.#delivered) {
      this.#delivered = deliveredBytes
      this.#stalledAt = now
      return false
    }
    return now - this.#stalledAt >= this.#policy.stall
  }

  async #revalidate(revalidation: Revalidation): Promise<void> {
    const { identity } = this.#stream
    if (identity === undefined) return
    // The next question is asked an interval after this one is answered.
    this.#revalidateAt = Infinity
    const { grace, interval } = revalidation
    try {
      // What never answers fails, too.
      const answer = (async () => revalidation.holds(identity))()
      if (!(await within(this.#hub.clock, Math.max(grace, TICK), answer, noAnswer))) {
        this.#stream.finish('logout')
        return
      }
      this.#heldAt = this.#hub.clock.now()
    } catch (error) {
      this.#hub.failed('revalidation', error, this.#stream)
      if (this.#hub.clock.now() - this.#heldAt >= grace) {
        this.#stream.finish('unverifiable')
        return
      }
    }
    if (this.#endReason !== undefined) return
    this.#revalidateAt = this.#hub.clock.now() + interval
    this.#hub.wheel.hasten(this, this.#revalidateAt)
  }
}

function noAnswer(): Error {
  return new Error('whether the identity still holds was not answered in time')
}
