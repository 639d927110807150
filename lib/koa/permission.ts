import type { Context } from 'koa'
import type { Identity } from '../auth/identity.ts'
import { callInTime } from '../application.ts'
import type { HubEngine } from '../hub/engine.ts'
import { safeError } from '../safe-error.ts'
import { tell } from './json-answer.ts'
import { callerOf } from './known-caller.ts'
import { refuse } from './refusal.ts'
import { secretsOf } from './request-secrets.ts'

/** The hub that reports failures of the application's `may`, and the timeout of `may` in milliseconds. */
interface Asking {
  readonly hub: HubEngine
  readonly timeout: number
}

/**
 * Whether the application allows a request: only if `may` returns `true`. Otherwise the request has been answered: 403
 * with `denied`, or 503 if `may` threw or timed out. For routes behind an identity guard.
 */
export async function isAllowed(
  ctx: Context,
  { hub, timeout }: Asking,
  may: () => unknown,
  denied: object,
): Promise<boolean> {
  try {
    if ((await callInTime({ clock: hub.clock, ms: timeout, what: '`may`' }, may)) === true) return true
    hub.refused('forbidden', 403, undefined, callerOf(ctx))
    tell(ctx, 403, denied)
  } catch (error) {
    // Set by the guard.
    const safe = safeError(error, secretsOf(ctx, ctx.state.identity as Identity | undefined))
    hub.failed('may', safe)
    refuse(ctx, { hub }, { reason: 'unavailable', status: 503, error: safe })
  }
  return false
}
