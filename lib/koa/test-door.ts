import type { Identity } from '../auth/identity.ts'
import type { HistoryLimits } from '../broker/history-policy.ts'
import type { Hub } from '../hub/hub.ts'
import { checkHub } from './door-config.ts'
import { logIn, refuseInProduction } from './test-login.ts'

/** Internals of a hub for the test kit. */
export interface TestDoor {
  readonly hub: Hub
  /** Logs a request in, on the routes of this hub. */
  logIn(request: object, identity: Identity): void
  /** Publishes an event of the test kit's own, which the application's event types do not include. */
  publish(topic: string, event: { readonly event: string; readonly data: string }): Promise<void>
  /**
   * The history limits of a topic.
   *
   * @throws {TypeError} if the broker does not report them
   */
  limitsOf(topic: string): HistoryLimits
  /**
   * Starts a new epoch of the log.
   *
   * @throws {TypeError} as a rejection, if the broker cannot
   */
  lose(): Promise<void>
}

/** @throws {TypeError} in production, and for a value that is not a hub of this copy of the library */
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
      if (limits === undefined) throw missing('limitsOf', 'to report the history limits of a topic')
      return limits
    },
    lose: async () => {
      if (broker.lose === undefined) throw missing('lose', 'to lose its log')
      await broker.lose()
    },
  }
}

function missing(method: string, what: string): TypeError {
  return new TypeError(`the broker needs a method \`${method}()\` ${what}`)
}
