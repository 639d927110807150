import type { Identity } from '../auth/identity.ts'
import type { DisconnectMessage } from '../broker/broker.ts'
import type { Clock } from '../clock.ts'
import type { StreamFilter } from './stream-index.ts'

/** A place in the order in which requests arrive at this process and logins are ended. */
export type Moment = number

// As long as Node lets a client take to send a request (`server.requestTimeout`): few are older when they are admitted.
const KEPT_FOR = 300_000
// Of some hundred bytes each. Nobody ends as many logins while a request is on its way, but for a whole site's.
const MOST = 10_000

interface Ending {
  readonly moment: Moment
  readonly at: number
  readonly filter: StreamFilter
  readonly reason: DisconnectMessage['reason']
}

let latest: Moment = 0

/** The present moment. A request that arrives now is older than every login that is ended from now on. */
export function presentMoment(): Moment {
  return latest
}

/**
 * The logins that were ended lately: whoever is on the way to a stream that nobody can close yet is not to get one, whatever
 * proved the login before. Streams that hold a place are found by the index instead.
 *
 * It remembers what was heard, so that no opening has to ask a store. Of what it has forgotten, or never heard, it says so.
 */
export class Endings {
  readonly #clock: Clock
  // The oldest first.
  readonly #endings: Ending[] = []
  // Of what was ended up to this moment nobody knows all.
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

  /** Some may have been ended without anybody here having heard of it. */
  missed(): void {
    latest += 1
    this.#doubtful = latest
  }

  /**
   * Why the login of a request that arrived at a moment has ended since, if it has; `unverifiable` where nobody knows whether
   * it has: it is to be asked again.
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
