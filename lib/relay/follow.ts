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

/** The options of `follow`, for whatever shape of identities. */
type AnyFollow = FollowOptions & { readonly may: (identity: Identity, run: Run) => boolean | Promise<boolean> }

/** A route that answers what a run says, from its beginning or from where a client has got to. */
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
        // Whoever has no right learns nothing of which runs there are.
        if (!(await isAllowed(may, stream.identity, runOf(runId ?? '', record)))) {
          ctx.status = 403
          return undefined
        }
        return serve(runs, record, stream, ctx, reader)
      }),
  })
}
