import type { EventStreamMiddleware } from '../koa/middleware.ts'
import type { Logins } from '../koa/options.ts'
import type { EventMap } from '../wire/event.ts'
import { cancelRoute } from './cancel.ts'
import { checkRelay } from './config.ts'
import { followRoute } from './follow.ts'
import type { CancelOptions, FollowOptions, RelayOptions, StartOptions } from './options.ts'
import { Runs } from './runs.ts'
import { startRoute } from './start.ts'

/** Makes the routes of a relay: Koa middlewares that answer the request themselves and call no other. */
export interface Relay<Events extends object = EventMap> {
  /**
   * Starts a run, or joins the one with its id that is there, and answers it as `follow` does: for POST, and for GET by an
   * EventSource. A run that was interrupted is started anew. Who joins another's run needs `may`: 403. Beyond
   * `limits.identity` 429, beyond `limits.process` 503.
   *
   * @throws {TypeError} at start-up, for a wrong option
   */
  start<Login extends Logins>(options: StartOptions<Events, Login>): EventStreamMiddleware
  /**
   * Answers a run: from its beginning, as one event where there is `compact`, or behind the event that a client has seen
   * last; then what comes, up to the end. 204 at or past the end, 403 without the right, 404 where there is no such run, or
   * none any more.
   *
   * @throws {TypeError} at start-up, for a wrong option
   */
  follow<Login extends Logins>(options: FollowOptions<Events, Login>): EventStreamMiddleware
  /**
   * Cancels a run, on whatever instance it is, by POST or DELETE: 204, also where it has ended already, once all can know of
   * it; 403 and 404 as `follow`, 405 for other methods.
   *
   * @throws {TypeError} at start-up, for a wrong option
   */
  cancel<Login extends Logins>(options: CancelOptions<Events, Login>): EventStreamMiddleware
}

/**
 * Answers that outlive their reader, such as those of a language model. A run goes on when its readers leave; they come back
 * from where they were, late ones get it from the beginning, on any instance. It ends once, for all of them, with one event:
 *
 * - `done`: the source is
 * - `failed`: the source threw, or took longer than `keep`
 * - `cancelled`: by `cancel`
 * - `interrupted`: its process shuts down, was killed or is frozen. Start it again
 *
 * Its data is `{"reason":"…"}`, see `EndReason`. What a process that was taken for dead says later is never seen.
 *
 * @throws {TypeError} for a wrong option
 */
export function relay<Events extends object = EventMap>(options: RelayOptions<Events>): Relay<Events> {
  const config = checkRelay(options)
  const runs = new Runs(config)
  // Which events there are, and what identities look like, is for the compiler alone.
  return Object.freeze({
    start: (route: unknown) => startRoute(config, runs, route as Parameters<typeof startRoute>[2]),
    follow: (route: unknown) => followRoute(config, runs, route as Parameters<typeof followRoute>[2]),
    cancel: (route: unknown) => cancelRoute(config, runs, route as Parameters<typeof cancelRoute>[2]),
  })
}
