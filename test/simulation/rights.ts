import type { SubscriptionFilter, SubscriptionOutcome } from '../../lib/hub/subscription-change.ts'
import type { Random } from '../support/random.ts'
import type { Client } from './client.ts'
import { ROOM, TOPICS } from './kept.ts'
import type { World } from './world.ts'

/** Milliseconds that other instances have for their answers. */
const WITHIN = 1_000

// Whoever is given this one by the hub is not present there.
const CHANGED = TOPICS.filter(topic => topic !== ROOM)

/** The application gives topics to streams, and takes them, on whatever instance they are. */
export class Rights {
  readonly #world: World
  readonly #random: Random

  constructor(world: World, random: Random) {
    this.#world = world
    this.#random = random
  }

  /** Changes what a client may read: on its stream alone, or on all of its identity. */
  change(client: Client): void {
    const random = this.#random
    const topic = random.pick(CHANGED)
    const isGiven = !client.topics.has(topic)
    const { streamId, person } = client
    if (streamId !== undefined && random.chance(0.4)) this.#ask({ stream: streamId }, [client], topic, isGiven)
    else {
      // Whoever logs in as somebody of whom this is decided would have what has been decided before.
      person.isShared = false
      const all = this.#world.clients.filter(other => other.person === person)
      this.#ask({ identity: person.identity.id }, all, topic, isGiven)
    }
  }

  // Another change of the same is made when all know of this one; where not all have answered, never.
  #ask(filter: SubscriptionFilter, clients: readonly Client[], topic: string, isGiven: boolean): void {
    const instance = this.#world.pickInstance(this.#random)
    if (instance === undefined || !clients.every(client => client.mayChange(topic, isGiven))) return
    const what = isGiven ? 'subscribe' : 'unsubscribe'
    const { trace, ledger } = this.#world
    instance.process.run(() => {
      if (!clients.every(client => client.mayChange(topic, isGiven))) return
      trace.note(() => `${instance.process.name}: ${what} ${JSON.stringify(filter)} ${topic}`)
      const { life } = ledger
      const open = clients.filter(({ streamId }) => streamId !== undefined).length
      const settle = clients.map(client => client.changing(topic, isGiven))
      const settled = ({ complete, since, streams }: SubscriptionOutcome): void => {
        trace.note(() => `${what} ${JSON.stringify(filter)} ${topic}: ${complete ? since : 'not all have answered'}`)
        // A stream that could not have it is told as a fault, and is not counted.
        if (!complete || (isGiven && streams < open)) return
        const isSure = ledger.life === life && !ledger.isBehind && !ledger.hasFallenBack
        for (const tell of settle) tell(isSure ? since : undefined)
      }
      instance.hub[what](filter, topic, { within: WITHIN }).then(settled, () => {
        trace.note(() => `${what} ${JSON.stringify(filter)} ${topic} fails`)
      })
    })
  }
}
