import type { EventStreamMiddleware } from '../koa/middleware.ts'
import type { Logins } from '../koa/options.ts'
import type { EventMap } from '../wire/event.ts'
import { cancelRoute } from './cancel.ts'
import { checkRelay } from './config.ts'
import { followRoute } from './follow.ts'
import type { CancelOptions, FollowOptions, RelayOptions, StartOptions } from './options.ts'
import { Runs } from './runs.ts'
import { startRoute } from './start.ts'

/** Creates the routes of a relay: Koa middlewares that answer the request themselves and never call `next`. */
export interface Relay<Events extends object = EventMap> {
  /**
   * Starts a run, or joins the existing one with its id, and streams it as `follow` does: for POST, and for GET by an
   * EventSource. An interrupted run is started again. Joining another identity's run requires `may`: 403. Beyond
   * `limits.identity` 429, beyond `limits.process` 503.
   *
   * @throws {TypeError} at start-up, for a wrong option
   */
  start<Login extends Logins>(options: StartOptions<Events, Login>): EventStreamMiddleware
  /**
   * Streams a run: from its beginning, as one event if there is `compact`, or after the client's last event; then live,
   * to its end. 204 at or past the end, 403 without permission, 404 if there is no such run, or no longer.
   *
   * @throws {TypeError} at start-up, for a wrong option
   */
  follow<Login extends Logins>(options: FollowOptions<Events, Login>): EventStreamMiddleware
  /**
   * Cancels a run on any instance, by POST or DELETE: 204 once the end is in the log, even if the run had already
   * ended; 403 and 404 as `follow`, 405 for other methods.
   *
   * @throws {TypeError} at start-up, for a wrong option
   */
  cancel<Login extends Logins>(options: CancelOptions<Events, Login>): EventStreamMiddleware
}

/**
 * Answers that outlive their readers, such as those of a language model. A run continues when its readers leave; they
 * resume where they were, and late ones get it from the beginning, on any instance. It ends once, for all of them, with
 * one event:
 *
 * - `done`: the source ended
 * - `failed`: the source threw, or took longer than `keep`
 * - `cancelled`: by `cancel`
 * - `interrupted`: its process is shutting down, was killed or is frozen. Start it again
 *
 * Its data is `{"reason":"…"}`, see `EndReason`. Anything that a process publishes after it was considered dead is
 * ignored.
 *
 * @throws {TypeError} for a wrong option
 */
export function relay<Events extends object = EventMap>(options: RelayOptions<Events>): Relay<Events> {
  const config = checkRelay(options)
  const runs = new Runs(config)
  // The types of events and identities exist only at compile time.
  return Object.freeze({
    start: (route: unknown) => startRoute(config, runs, route as Parameters<typeof startRoute>[2]),
    follow: (route: unknown) => followRoute(config, runs, route as Parameters<typeof followRoute>[2]),
    cancel: (route: unknown) => cancelRoute(config, runs, route as Parameters<typeof cancelRoute>[2]),
  })
}
