import type { Context } from 'koa'

/** What this site keeps in a session. */
export interface SessionData {
  /** Who is logged in. */
  userId?: string
}

/** `ctx.session` of koa-session, whose own types leave it open. */
export interface Session extends SessionData {
  /** The key of the session in its store. */
  readonly externalKey: string
  /** Gives the session a new key, so that one which was planted before the login is worth nothing. */
  regenerate(): Promise<void>
}

/** Where koa-session keeps sessions. `maxAge` is in milliseconds. */
export interface SessionStore {
  get(key: string, maxAge: number, options: { rolling: boolean }): Promise<SessionData | null | undefined>
  set(key: string, data: SessionData, maxAge: number, options: { rolling: boolean; changed: boolean }): Promise<void>
  destroy(key: string): Promise<void>
}

export function sessionOf(ctx: Context): Session {
  return ctx.session as Session
}

/** Forgets the session, in the store and in the browser. */
export function endSession(ctx: Context): void {
  ctx.session = null
}
