import type { Context } from 'koa'
import type { Identity } from '../auth/identity.ts'
import { REFUSAL } from '../diagnostics.ts'

const callers = new WeakMap<Context, Identity>()

/** Remembers who is asking, for whoever listens to refusals just now: without them it costs nothing. */
export function noteCaller(ctx: Context, identity: Identity): void {
  if (REFUSAL.hasSubscribers) callers.set(ctx, identity)
}

/** Who is asking, as far as it was known when it was noted. */
export function callerOf(ctx: Context): Identity | undefined {
  return callers.get(ctx)
}
