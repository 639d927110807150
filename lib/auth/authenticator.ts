import type { Context } from 'koa'
import type { Identity, UnknownClaims } from './identity.ts'

/**
 * Authenticates requests for a stream.
 *
 * `sessionCookie()` and `bearerToken()` create one; an application can write its own. `Claims` is the type of
 * `identity.claims`.
 */
export interface Authenticator<Claims extends object = UnknownClaims> {
  /** The value of `identity.scheme`. */
  readonly scheme: string
  /** The `WWW-Authenticate` value of a 401 if no authenticator found credentials (RFC 9110, section 11.6.1). */
  readonly challenge: string
  /** The `WWW-Authenticate` value for credentials that have expired or been revoked, if it differs from `challenge`. */
  readonly rejection?: string
  /**
   * Whether browsers send these credentials automatically, as they do cookies. If so the request's origin is checked,
   * since any page on the web can cause such a request.
   */
  readonly ambient: boolean
  /**
   * Returns an identity, or `undefined` if the request has no credentials of this kind: the next authenticator is tried
   * then. An identity from `createIdentity()` is used as it is; anything else is copied and frozen. Times out after
   * `limits.timeout`.
   *
   * Any other error, and a return value that is not an identity, is a bug in the application: the request gets 500, and
   * the hub emits a refusal `unavailable`. Koa and the hub get a copy of the error, without credentials and without its
   * additional properties.
   *
   * @throws {AuthenticationError} if credentials are present but invalid: no other authenticator is tried then.
   */
  authenticate(ctx: Context): Identity<Claims> | undefined | Promise<Identity<Claims> | undefined>
  /**
   * Removes credentials from the URL and keeps them aside, so that logging middleware does not see them. Called first
   * for every request, including those refused before authentication. If it throws or returns a promise, the request
   * gets 500, since the credentials might be exposed.
   */
  conceal?(ctx: Context): void
  /**
   * Called first for every request, before `conceal`: stops the request from extending the login unless `resume` is
   * called. If it throws or returns a promise, the request gets 500.
   */
  suspend?(ctx: Context): void
  /**
   * Called when a request is granted a stream or a ticket (`stream`), or passes `requireIdentity()` (`ordinary`). A
   * page left open requests streams by itself, which need not count as activity. An error emits `fault`.
   */
  resume?(ctx: Context, route: 'stream' | 'ordinary'): void
  /**
   * Redeems single-use credentials. Called once a place for the stream is reserved, before the subscription resolver,
   * so that a request refused earlier does not use them up.
   *
   * @throws {AuthenticationError} if the credentials have been used or have expired since `authenticate`.
   */
  redeem?(ctx: Context, identity: Identity): void | Promise<void>
  /**
   * Called for a request that was authenticated but gets no stream. Its login may have ended meanwhile, so the request
   * must no longer extend it. The response is already sent: an error emits `fault`.
   */
  forget?(ctx: Context): void | Promise<void>
  /** How to revalidate the identity while the stream is open. */
  readonly revalidation?: Revalidation
}

/** Periodic revalidation of an open stream's identity. */
export interface Revalidation {
  /** Milliseconds between checks. */
  readonly interval: number
  /** How long `holds` may keep failing before the stream is closed, in milliseconds. */
  readonly grace: number
  /**
   * Whether the identity is still valid; falsy means that it is not. If it rejects or times out, a stream being opened
   * gets 503; an open stream emits `fault` and continues for up to `grace`.
   */
  holds(identity: Identity): boolean | Promise<boolean>
}
