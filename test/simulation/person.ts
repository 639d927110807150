import { createIdentity, type Identity } from '../../lib/auth/identity.ts'
import type { Random } from '../support/random.ts'
import type { SimulatedProcess } from './simulated-process.ts'
import type { VirtualTime } from './virtual-time.ts'

/** How a login can be asked about again: a session by its store, a token only when it is used. */
export type Scheme = 'session' | 'token'

/** Somebody who is logged in, on any number of clients. */
export interface Person {
  readonly scheme: Scheme
  readonly identity: Identity
  /** When the login was ended, by the time of the world. */
  endedAt: number | undefined
  /** Whether other clients may log in as the same. */
  isShared: boolean
  /** When all instances had been told so, as far as they can be reached. */
  revokedAt: number | undefined
}

/** The application's logins, in a store of its own. */
export class Logins {
  /** Until when nobody can ask. */
  downUntil = 0
  readonly people: Person[] = []
  readonly #time: VirtualTime
  readonly #random: Random

  constructor(time: VirtualTime, random: Random) {
    this.#time = time
    this.#random = random
  }

  /** Somebody logs in. */
  add(): Person {
    const number = this.people.length
    const scheme = this.#random.chance(0.6) ? 'session' : 'token'
    const person: Person = {
      scheme,
      identity: createIdentity({ id: `p${number}`, scheme, [scheme]: `${scheme}-${number}` }),
      endedAt: undefined,
      isShared: true,
      revokedAt: undefined,
    }
    this.people.push(person)
    return person
  }

  /** Asks from a process whether a login still holds. Sometimes it takes until nobody listens any more. */
  async holds(person: Person, process: SimulatedProcess): Promise<boolean> {
    await new Promise<void>((resolve, reject) => {
      process.after(1 + this.#random.next() * 4, () => {
        if (this.#time.now >= this.downUntil) resolve()
        else if (this.#random.chance(0.5)) reject(new Error('the store of sessions is down'))
      })
    })
    return person.endedAt === undefined
  }
}
