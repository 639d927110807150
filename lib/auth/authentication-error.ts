import { EventStreamError, type ErrorCode } from '../errors.ts'

/**
 * Why credentials were refused.
 *
 * - `malformed` → 400: two credentials at once, or a scheme without a credential
 * - `rejected` → 401: expired, forged, revoked
 * - `forbidden` → 403: valid, but not allowed here
 * - `unavailable` → 503: the key server or session store is unavailable
 */
export type AuthenticationFailure = 'malformed' | 'rejected' | 'forbidden' | 'unavailable'

const OUTCOMES = {
  malformed: { status: 400, code: 'ERR_AUTH_MALFORMED' },
  rejected: { status: 401, code: 'ERR_AUTH_REJECTED' },
  forbidden: { status: 403, code: 'ERR_AUTH_FORBIDDEN' },
  unavailable: { status: 503, code: 'ERR_AUTH_UNAVAILABLE' },
} as const satisfies Record<AuthenticationFailure, { status: number; code: ErrorCode }>

/**
 * Thrown by an authenticator if credentials are present but invalid. The message is for the operator; the client gets
 * the status, a fixed text and the challenge. Neither may contain the credentials.
 */
export class AuthenticationError extends EventStreamError {
  override readonly name = 'AuthenticationError'
  readonly status: 400 | 401 | 403 | 503
  /** The `WWW-Authenticate` value of the response, if the scheme has one. */
  readonly challenge: string | undefined

  constructor(failure: AuthenticationFailure, message: string, options: ErrorOptions & { challenge?: string } = {}) {
    const { challenge, ...errorOptions } = options
    const { status, code } = OUTCOMES[failure]
    super(code, message, errorOptions)
    this.status = status
    this.challenge = challenge
  }
}
