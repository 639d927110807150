import type { Context } from 'koa'
import type { Identity } from '../auth/identity.ts'
import { REFUSAL } from '../diagnostics.ts'

const callers = new WeakMap<Context, Identity>()

/** Remembers the caller for subscribers of the refusal channel; without any it does nothing. */
export function noteCaller(ctx: Context, identity: Identity): void {
  if (REFUSAL.hasSubscribers) callers.set(ctx, identity)
}

/** The caller, if it was remembered. */
export function callerOf(ctx: Context): Identity | undefined {
  return callers.get(ctx)
}
