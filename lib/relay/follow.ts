import type { Identity } from '../auth/identity.ts'
import { eventStream, type EventStreamMiddleware } from '../koa/middleware.ts'
import type { Logins } from '../koa/options.ts'
import { fn } from '../options.ts'
import type { EventMap } from '../wire/event.ts'
import type { RelayConfig } from './config.ts'
import type { FollowOptions, Run } from './options.ts'
import { checkIdOf, isAllowed, runIdOf, runOf } from './rights.ts'
import type { Runs } from './runs.ts'
import { checkReader, orComeBack, overloadOf, serve } from './serve.ts'

/** The options of `follow`, for identities of any type. */
type AnyFollow = FollowOptions & { readonly may: (identity: Identity, run: Run) => boolean | Promise<boolean> }

/** A route that streams a run, from its beginning or from the client's last event. */
export function followRoute({ hub }: RelayConfig, runs: Runs, options: AnyFollow): EventStreamMiddleware {
  const { may, id, format, ...rest } = options
  const idOf = checkIdOf(id)
  fn('may', may)
  const reader = checkReader(options)
  return eventStream<EventMap, Logins>({
    ...rest,
    ...overloadOf(options),
    hub,
    subscribe: (stream, ctx) =>
      orComeBack(runs, stream, async () => {
        const runId = await runIdOf(ctx, idOf)
        const record = runId === undefined ? undefined : await runs.find(runId)
        // Callers without permission must not learn which runs exist.
        if (!(await isAllowed(may, stream.identity, runOf(runId ?? '', record)))) {
          ctx.status = 403
          return undefined
        }
        return serve(runs, record, stream, ctx, reader)
      }),
  })
}
