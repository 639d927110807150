import type { Context } from 'koa'
import type { Identity } from '../auth/identity.ts'
import { eventStream, type EventStreamMiddleware } from '../koa/middleware.ts'
import type { Logins } from '../koa/options.ts'
import { setRetryAfter } from '../koa/response.ts'
import { fn } from '../options.ts'
import type { EventInput, EventMap } from '../wire/event.ts'
import type { RelayConfig } from './config.ts'
import type { Run, StartOptions } from './options.ts'
import { isAllowed, runIdOf, runOf } from './rights.ts'
import type { Runs } from './runs.ts'
import { checkReader, orComeBack, overloadOf, serve } from './serve.ts'

// The `Retry-After` for a client with too many runs, in milliseconds.
const WAIT = 5_000

/** The options of `start`, for identities and events of any type. */
type AnyStart = StartOptions & {
  readonly may?: (identity: Identity, run: Run) => boolean | Promise<boolean>
  readonly run: (context: { identity: Identity; signal: AbortSignal }, ctx: Context) => AsyncIterable<EventInput>
}

/** A route that starts a run, or joins it, and streams it. */
export function startRoute({ hub }: RelayConfig, runs: Runs, options: AnyStart): EventStreamMiddleware {
  const { id: idOf, run, compact, may = isNobody, format, ...rest } = options
  fn('id', idOf)
  fn('run', run)
  fn('may', may)
  if (compact !== undefined) runs.compactBy(fn('compact', compact))
  const reader = checkReader(options)
  return eventStream<EventMap, Logins>({
    ...rest,
    ...overloadOf(options),
    hub,
    subscribe: (stream, ctx) =>
      orComeBack(runs, stream, async () => {
        const id = await runIdOf(ctx, idOf)
        if (id === undefined) {
          // Most likely the id comes from the client.
          ctx.status = 400
          return undefined
        }
        // A client that disconnects does not stop its run; but one whose login has ended meanwhile must not start one.
        const { identity, closeReason } = stream
        if (closeReason !== undefined && closeReason !== 'client') return undefined
        const source = (signal: AbortSignal) => run({ identity, signal }, ctx)
        const record = await runs.start(id, identity.id, source)
        if (typeof record === 'string') {
          ctx.status = record === 'identity-limit' ? 429 : 503
          setRetryAfter(ctx, WAIT)
          return undefined
        }
        // An id is not a credential: guessing one must not give access to somebody else's run.
        if (record.owner !== identity.id && !(await isAllowed(may, identity, runOf(id, record)))) {
          ctx.status = 403
          return undefined
        }
        return serve(runs, record, stream, ctx, reader)
      }),
  })
}

function isNobody(): boolean {
  return false
}
