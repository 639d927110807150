import type { Context } from 'koa'
import type { Identity, UnknownClaims } from './identity.ts'

/**
 * Finds out who is asking for a stream.
 *
 * `sessionCookie()` and `bearerToken()` make one; so can an application, for credentials of its own. `Claims` is the shape
 * of its identities' claims.
 */
export interface Authenticator<Claims extends object = UnknownClaims> {
  /** The word that goes into `identity.scheme`. */
  readonly scheme: string
  /** The `WWW-Authenticate` value of a 401 when nobody's credentials were found (RFC 9110, section 11.6.1). */
  readonly challenge: string
  /** The `WWW-Authenticate` value for credentials that were good and have ended, where that is another one. */
  readonly rejection?: string
  /**
   * Whether browsers send these credentials of their own accord, as they do cookies.
   * If so the request's origin is checked, since any page on the web can cause such a request.
   */
  readonly ambient: boolean
  /**
   * Answers an identity, or `undefined` for "no credentials of my kind", whereupon the next authenticator is asked. What
   * `createIdentity()` made is used as it is, of anything else a frozen copy. It has as long as `limits.timeout` says.
   *
   * Anything else that it throws, and an answer that is no identity, is an error of the application's: 500 for the request,
   * told as a refusal `unavailable`. Koa and the hub get a copy of it, without credentials and what else was put on it.
   *
   * @throws {AuthenticationError} for credentials that are there and bad: no other authenticator is asked then.
   */
  authenticate(ctx: Context): Identity<Claims> | undefined | Promise<Identity<Claims> | undefined>
  /**
   * Takes the credentials out of the URL and keeps them aside, where they come in one: middleware that logs must not see
   * them. Called first for every request, also for those that are refused before anybody is asked who is calling. If it
   * throws, or answers a promise, the request gets 500: its credentials might be in the open.
   */
  conceal?(ctx: Context): void
  /**
   * Called first for every request, before `conceal`: whatever the request would do by itself to prolong a login must not
   * happen unless `resume` is called. If it throws, or answers a promise, the request gets 500.
   */
  suspend?(ctx: Context): void
  /**
   * Called once a request gets what it asked for: a stream or a ticket to one (`stream`), or whatever is behind
   * `requireIdentity()` (`ordinary`). A page that is left open asks for streams by itself, which need not count as
   * somebody's being there. What it throws is a `fault`.
   */
  resume?(ctx: Context, route: 'stream' | 'ordinary'): void
  /**
   * Uses up credentials that are good for one stream. Called once a place for the stream is taken, before the
   * subscription resolver: a request that is refused before has not used them.
   *
   * @throws {AuthenticationError} for credentials that have been used or have ended since `authenticate`.
   */
  redeem?(ctx: Context, identity: Identity): void | Promise<void>
  /**
   * Called for a request that was authenticated and gets no stream after all. The login may have ended meanwhile:
   * whatever the request would still do to prolong it must not happen. The request is answered already: what it throws is
   * a `fault`.
   */
  forget?(ctx: Context): void | Promise<void>
  /** How to ask again, while the stream is open, whether the identity still holds. */
  readonly revalidation?: Revalidation
}

/** The question an open stream asks on a timer. */
export interface Revalidation {
  /** Milliseconds between two questions. */
  readonly interval: number
  /** How long `holds` may go on failing before the stream is closed, in milliseconds. */
  readonly grace: number
  /**
   * Whether the identity still holds: anything falsy means that it does not. A rejection, or no answer in time, means
   * that nobody can tell just now: 503 for a stream that is being opened, a `fault` for one that is open, which goes on
   * for as long as `grace` says.
   */
  holds(identity: Identity): boolean | Promise<boolean>
}
