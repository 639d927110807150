import type { Clock } from 'koa-event-stream'
import type { Random } from '../support/random.ts'
import type { Application } from './application.ts'
import { isPrank } from './prank.ts'
import { TOPICS } from './resolver.ts'
import { USERS } from './wallet.ts'

const PERIOD = 4
const REVOKED_FOR = 500

/** Publishes, disconnects, revokes and destroys sessions until it is stopped. */
export class Mischief {
  readonly #application: Application
  readonly #clock: Clock
  readonly #random: Random
  readonly #timer: NodeJS.Timeout
  #done = Promise.resolve()

  constructor(application: Application, clock: Clock, random: Random) {
    this.#application = application
    this.#clock = clock
    this.#random = random
    this.#timer = setInterval(() => {
      this.#done = Promise.all([this.#done, this.#act()]).then(() => undefined)
    }, PERIOD)
  }

  /** Waits until what was begun is done; rejects where some of it failed. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#done
  }

  async #act(): Promise<void> {
    const { hub, store, watched } = this.#application
    const random = this.#random
    await hub.publish(random.some([...TOPICS, `user:${random.pick(USERS)}`]), {
      event: random.pick(['a', 'b', 'c']),
      data: {
        n: random.between(0, 1_000),
        filler: 'x'.repeat(random.chance(0.1) ? 5_000 : 20),
        user: { password: 'x' },
      },
    })
    if (random.chance(0.1)) await hub.disconnect({ identity: random.pick(USERS) })
    if (random.chance(0.1)) {
      const token = `token-${random.between(0, 500)}`
      await hub.revoke(token, this.#clock.now() + REVOKED_FOR)
    }
    const keys = [...store.sessions.keys()]
    if (keys.length > 20) await watched.destroy(random.pick(keys)).catch(expectPrank)
  }
}

function expectPrank(error: unknown): void {
  if (!isPrank(error)) throw error
}
