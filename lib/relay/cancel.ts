import type { Context } from 'koa'
import type { Identity } from '../auth/identity.ts'
import { callInTime } from '../application.ts'
import { EventStreamError } from '../errors.ts'
import { DEFAULT_TIMEOUT } from '../koa/door-config.ts'
import type { EventStreamMiddleware } from '../koa/middleware.ts'
import { requireIdentity } from '../koa/require-identity.ts'
import { setNotAllowed, setNothing, setOverloaded, setRefusal } from '../koa/response.ts'
import { duration, fn } from '../options.ts'
import type { RelayConfig } from './config.ts'
import type { CancelOptions, Run } from './options.ts'
import { checkIdOf, isAllowed, runIdOf, runOf } from './rights.ts'
import type { Runs } from './runs.ts'

// The `Retry-After` while the broker is unavailable, in milliseconds.
const WAIT = 3_000

/** The options of `cancel`, for identities of any type. */
type AnyCancel = CancelOptions & { readonly may: (identity: Identity, run: Run) => boolean | Promise<boolean> }

// A timeout is treated like an unavailable broker.
const late = (message: string): EventStreamError => new EventStreamError('ERR_BROKER', message)

/** A route that cancels a run on any instance: 204, even if it has already ended, and 404 if there is none. */
export function cancelRoute({ hub }: RelayConfig, runs: Runs, options: AnyCancel): EventStreamMiddleware {
  const { may, id, ...rest } = options
  const idOf = checkIdOf(id)
  fn('may', may)
  const guard = requireIdentity({ ...rest, hub })
  const ms = duration('limits.timeout', rest.limits?.timeout, { default: DEFAULT_TIMEOUT })

  const cancel = async (ctx: Context): Promise<void> => {
    const identity = ctx.state.identity as Identity
    const runId = await runIdOf(ctx, idOf)
    const record = runId === undefined ? undefined : await runs.find(runId)
    if (!(await isAllowed(may, identity, runOf(runId ?? '', record)))) setRefusal(ctx, 403)
    else if (record !== undefined && (await runs.cancel(record))) setNothing(ctx)
    else setRefusal(ctx, 404)
  }

  return async ctx => {
    // A link must not cancel a run.
    if (ctx.method !== 'POST' && ctx.method !== 'DELETE') {
      setNotAllowed(ctx, 'POST, DELETE')
      return
    }
    await guard(ctx, async () => {
      try {
        await callInTime({ clock: hub.clock, ms, what: 'cancelling a run', late }, () => cancel(ctx))
      } catch (error) {
        if (!(error instanceof EventStreamError && error.code === 'ERR_BROKER')) throw error
        runs.failed(error)
        setOverloaded(ctx, 503, WAIT)
      }
    })
  }
}
