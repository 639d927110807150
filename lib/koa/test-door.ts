import type { Identity } from '../auth/identity.ts'
import type { HistoryLimits } from '../broker/history-policy.ts'
import type { Hub } from '../hub/hub.ts'
import { checkHub } from './door-config.ts'
import { logIn, refuseInProduction } from './test-login.ts'

/** What the test kit may do to a hub that is not on its public surface. */
export interface TestDoor {
  readonly hub: Hub
  /** Logs a request in, at the mounts of this hub. */
  logIn(request: object, identity: Identity): void
  /** Publishes an event of the kit's own, which no map of the application's has. */
  publish(topic: string, event: { readonly event: string; readonly data: string }): Promise<void>
  /**
   * What a topic remembers.
   *
   * @throws {TypeError} where the engine does not tell
   */
  limitsOf(topic: string): HistoryLimits
  /**
   * Begins a new life of the log.
   *
   * @throws {TypeError} as a rejection, where the engine cannot
   */
  lose(): Promise<void>
}

/** @throws {TypeError} in production, and for what is no hub of this copy of the library */
export function openTestDoor(hub: unknown): TestDoor {
  refuseInProduction('testStreams()')
  const engine = checkHub(hub)
  const { broker } = engine
  return {
    hub: engine,
    logIn: (request, identity) => {
      logIn(request, engine, identity)
    },
    publish: async (topic, event) => {
      await engine.publish(topic, event)
    },
    limitsOf: topic => {
      const limits = broker.limitsOf?.(topic)
      if (limits === undefined) throw missing('limitsOf', 'what a topic remembers')
      return limits
    },
    lose: async () => {
      if (broker.lose === undefined) throw missing('lose', 'how to lose its log')
      await broker.lose()
    },
  }
}

function missing(method: string, what: string): TypeError {
  return new TypeError(`the broker has no \`${method}()\`, which would say ${what}`)
}
