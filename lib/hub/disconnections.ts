import type { Broker, ControlMessage, DisconnectMessage } from '../broker/broker.ts'
import type { Clock } from '../clock.ts'
import { EventStreamError } from '../errors.ts'
import { text } from '../options.ts'
import { safeError } from '../safe-error.ts'
import type { RequestedCloseReason } from '../stream/close-reason.ts'
import type { RevocationMarks } from './revocation-marks.ts'
import { Revocations } from './revocations.ts'
import type { StreamFilter } from './stream-index.ts'

// March 1973 in milliseconds; in seconds, the year 5138.
const EARLIEST_EXPIRY = 1e11

/** What this needs of the hub. */
export interface DisconnectionsHub {
  readonly broker: Broker
  readonly clock: Clock
  readonly revocationMarks: RevocationMarks
  /** Applies a control message on this instance. */
  control(message: ControlMessage): void
  failed(during: string, error: unknown): void
  /** @throws {EventStreamError} `ERR_HUB_CLOSED` */
  requireOpen(): void
}

/** Ends logins on all instances: `disconnect()` and `revoke()`. */
export class Disconnections {
  readonly #hub: DisconnectionsHub
  readonly #revocations: Revocations

  constructor(hub: DisconnectionsHub) {
    this.#hub = hub
    this.#revocations = new Revocations(hub.broker.store, hub.clock)
  }

  async disconnect(filter: StreamFilter, reason: RequestedCloseReason = 'server'): Promise<void> {
    const { identity, session, token } = filter
    // A number as an `id` would silently match no stream.
    for (const [key, value] of Object.entries({ identity, session, token })) {
      if (value !== undefined) text(key, value)
    }
    if (identity === undefined && session === undefined && token === undefined) {
      throw new TypeError('disconnect needs an `identity`, a `session` or a `token`')
    }
    const { broker, revocationMarks } = this.#hub
    this.#hub.requireOpen()
    const message: DisconnectMessage = { type: 'disconnect', ...filter, reason }
    // Close local streams first: this must work while the broker is down.
    this.#hub.control(message)
    // Mark before announcing: an instance that does not see the mark yet will get the message. Mark again afterwards,
    // to end what an instance derived from the login in between, before the message reached it.
    const marked = failureOf(revocationMarks.mark(filter))
    await broker.announce(message)
    const failure = (await marked) ?? (await failureOf(revocationMarks.mark(filter)))
    if (failure !== undefined) this.#hub.failed('disconnect', safeError(failure.error, [session, token]))
  }

  async revoke(token: string, expiry: number | Date): Promise<void> {
    if (typeof token !== 'string' || token === '') throw new TypeError('revoke needs the `jti` of a token')
    const until = Number(expiry)
    if (!Number.isFinite(until)) throw new TypeError('revoke needs the time when the token expires')
    // Seconds read as milliseconds are long past: the token would stay valid.
    if (until < EARLIEST_EXPIRY) throw new TypeError('revoke needs the expiry in milliseconds, not in seconds')
    const { clock } = this.#hub
    this.#hub.requireOpen()
    // Close local streams first: this must work while the broker is down.
    this.#hub.control({ type: 'disconnect', token, reason: 'revoked' })
    const failure = await failureOf(this.#revocations.add(token, until - clock.now()))
    // A full Redis still delivers messages: close the streams of other instances even if the revocation was not stored.
    await this.disconnect({ token }, 'revoked')
    if (failure === undefined) return
    const what = 'the streams of the token are closed, but the revocation could not be stored'
    throw new EventStreamError('ERR_BROKER', what, { cause: safeError(failure.error, [token]) })
  }

  /** @throws {EventStreamError} `ERR_BROKER`, as a rejection: the store is unavailable */
  isRevoked(token: string): Promise<boolean> {
    return this.#revocations.has(token)
  }

  /** The broker is back: stores again the revocations that a fail-over may have lost. */
  restore(): void {
    void this.#revocations.restore()
  }
}

/** Resolves to the error that `work` rejects with, or `undefined`. */
function failureOf(work: Promise<unknown>): Promise<{ readonly error: unknown } | undefined> {
  return work.then(
    () => undefined,
    (error: unknown) => ({ error }),
  )
}
