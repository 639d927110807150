import type { Context } from 'koa'
import type { RefusalReason } from '../hub/lifecycle.ts'
import type { CloseReason } from '../stream/close-reason.ts'
import { ended, type Caller, type Refusal } from './authentication.ts'
import type { RouteConfig } from './route-config.ts'
import { jitteredRetry, MAX_RETRY } from '../wire/retry.ts'
import { http2SessionOf, releaseConnection } from './client-connection.ts'
import { callerOf } from './known-caller.ts'
import { clientWordsOf } from './client-words.ts'
import { overloadFor } from './overload.ts'
import { setNothing, setOverloaded, setPostponed, setRefusal, setRetryAfter } from './response.ts'

/** Answers a request whose stream was closed before it opened. */
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
    case 'superseded':
      turnAway(ctx, config, 'superseded')
      return
    default:
      turnAway(ctx, config, reason === 'drain' ? 'draining' : 'disconnected')
  }
}

/** Answers and reports a refusal. */
export function refuse(ctx: Context, { hub }: Pick<RouteConfig, 'hub'>, refusal: Refusal): void {
  const { reason, status, challenges, wait, error } = refusal
  setRefusal(ctx, status, challenges)
  if (wait !== undefined) setRetryAfter(ctx, wait)
  hub.refused(reason, status, error, callerOf(ctx))
}

const TOO_MANY: ReadonlySet<RefusalReason> = new Set([
  'identity-limit',
  'superseded',
  'address-limit',
  'identity-rate',
  'address-rate',
])

/** Turns a client away for a while, in the way of the route's `overload`. */
export function turnAway(
  ctx: Context,
  config: RouteConfig,
  reason: RefusalReason,
  { error, wait = 0 }: { error?: unknown; wait?: number } = {},
): void {
  const { hub, policy } = config
  // Keep-alive connections would delay the server's shutdown.
  if (reason === 'draining') closeAfter(ctx)
  // Jitter, so that clients with the same wait do not return at the same moment.
  const spread = Math.min(MAX_RETRY, Math.ceil(wait) + jitteredRetry(policy.retry, hub.clock))
  const delay = reason === 'superseded' ? MAX_RETRY : spread
  if (overloadFor(ctx, config) === 'postpone') {
    setPostponed(ctx, GOAWAY[reason] ?? 'overload', delay, clientWordsOf(ctx).isVisible)
    hub.refused(reason, 200, error, callerOf(ctx))
    return
  }
  const status = TOO_MANY.has(reason) ? 429 : 503
  setOverloaded(ctx, status, delay)
  hub.refused(reason, status, error, callerOf(ctx))
}

/** The reason sent to the client, if other than `overload`. */
const GOAWAY: Partial<Record<RefusalReason, 'drain' | 'server' | 'superseded'>> = {
  draining: 'drain',
  disconnected: 'server',
  superseded: 'superseded',
}

function closeAfter(ctx: Context): void {
  const session = http2SessionOf(ctx.res)
  if (session === undefined) ctx.set('Connection', 'close')
  else ctx.res.once('finish', () => releaseConnection(ctx, session))
}
