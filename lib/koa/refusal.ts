import type { Context } from 'koa'
import type { RefusalReason } from '../hub/lifecycle.ts'
import type { CloseReason } from '../stream/close-reason.ts'
import { ended, type Caller, type Refusal } from './authentication.ts'
import type { RouteConfig } from './route-config.ts'
import { setNothing, setOverloaded, setPostponed, setRefusal } from './response.ts'

/** Answers a request whose stream was closed before it began. */
export function answerEnded(ctx: Context, config: RouteConfig, caller: Caller, reason: CloseReason): void {
  switch (reason) {
    case 'client':
      return
    case 'logout':
    case 'revoked':
      refuse(ctx, config, ended(caller, config))
      return
    case 'done':
      setNothing(ctx)
      return
    default:
      turnAway(ctx, config, reason === 'drain' ? 'draining' : 'disconnected')
  }
}

/** Answers a refusal and tells of it. */
export function refuse(ctx: Context, { hub }: RouteConfig, { reason, status, challenges, error }: Refusal): void {
  setRefusal(ctx, status, challenges)
  hub.refused(reason, status, error)
}

const TOO_MANY: ReadonlySet<RefusalReason> = new Set([
  'identity-limit',
  'address-limit',
  'identity-rate',
  'address-rate',
])

/** Sends a client away for a while, as the route's `overload` says. */
export function turnAway(
  ctx: Context,
  { hub, policy, overload }: RouteConfig,
  reason: RefusalReason,
  { error, wait = 0 }: { error?: unknown; wait?: number } = {},
): void {
  // A server that shuts down waits for connections that are kept alive.
  if (reason === 'draining' && ctx.req.httpVersionMajor === 1) ctx.set('Connection', 'close')
  if (overload === 'postpone') {
    setPostponed(ctx, policy.retry, wait)
    hub.refused(reason, 200, error)
    return
  }
  const status = TOO_MANY.has(reason) ? 429 : 503
  setOverloaded(ctx, status, policy.retry, wait)
  hub.refused(reason, status, error)
}
