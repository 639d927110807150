import type { Identity } from '../auth/identity.ts'
import type { DisconnectMessage } from '../broker/broker.ts'
import type { Clock } from '../clock.ts'
import type { StreamFilter } from './stream-index.ts'

/** A position in the order in which this process receives requests and ends logins. */
export type Moment = number

// Node's default for how long a client may take to send a request (`server.requestTimeout`): few requests are older
// when they are admitted.
const KEPT_FOR = 300_000
// Some hundred bytes each. Only a logout of a whole site ends as many logins while a request is being admitted.
const MOST = 10_000

interface Ending {
  readonly moment: Moment
  readonly at: number
  readonly filter: StreamFilter
  readonly reason: DisconnectMessage['reason']
}

let latest: Moment = 0

/** The current moment. A request that arrives now precedes every ending from now on. */
export function presentMoment(): Moment {
  return latest
}

/**
 * The logins ended recently. A request that was authenticated before its login ended, but has no stream in the index
 * yet, must not get one; streams in the index are closed directly.
 *
 * Kept in memory, so that opening a stream needs no store. Where endings have been forgotten or missed, `since` returns
 * `unverifiable`.
 */
export class Endings {
  readonly #clock: Clock
  // The oldest first.
  readonly #endings: Ending[] = []
  // Endings up to this moment may be missing.
  #doubtful: Moment = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  add({ reason, identity, session, token }: DisconnectMessage): void {
    const at = this.#clock.monotonic()
    const filter = {
      ...(identity !== undefined && { identity }),
      ...(session !== undefined && { session }),
      ...(token !== undefined && { token }),
    }
    latest += 1
    this.#endings.push({ moment: latest, at, filter, reason })
    this.#forget(at - KEPT_FOR)
  }

  /** Endings may have been missed by this instance. */
  missed(): void {
    latest += 1
    this.#doubtful = latest
  }

  /**
   * Why the login of a request that arrived at `arrival` has ended since; `undefined` if it has not; `unverifiable` if
   * endings may be missing, so that the login must be revalidated.
   */
  since(arrival: Moment, identity: Identity): DisconnectMessage['reason'] | 'unverifiable' | undefined {
    for (let index = this.#endings.length - 1; index >= 0; index -= 1) {
      const ending = this.#endings[index]
      if (ending === undefined || ending.moment <= arrival) break
      if (fits(ending.filter, identity)) return ending.reason
    }
    return arrival < this.#doubtful ? 'unverifiable' : undefined
  }

  #forget(before: number): void {
    const kept = this.#endings.findIndex(({ at }) => at >= before)
    const count = Math.max(kept, this.#endings.length > MOST ? MOST / 10 : 0)
    if (count === 0) return
    const forgotten = this.#endings.splice(0, count)
    this.#doubtful = Math.max(this.#doubtful, forgotten.at(-1)?.moment ?? 0)
  }
}

function fits({ identity, session, token }: StreamFilter, login: Identity): boolean {
  return (
    (identity === undefined || identity === login.id) &&
    (session === undefined || session === login.session) &&
    (token === undefined || token === login.token)
  )
}
