import { AuthenticationError } from './authentication-error.ts'
import { challenge } from './challenge.ts'

/** The error responses of RFC 6750, section 3.1. Their texts are fixed, so that no part of a token is echoed. */
export interface BearerErrors {
  /** The challenge of `invalid`. */
  readonly rejection: string
  malformed(message: string): AuthenticationError
  invalid(message: string): AuthenticationError
  expired(): AuthenticationError
  insufficientScope(): AuthenticationError
}

/** Creates the errors of a realm; `scope` lists the scopes a token needs, space-separated. */
export function bearerErrors(realm: string, scope: string): BearerErrors {
  const refusal = (error: string, description: string) =>
    challenge('Bearer', { realm, error, error_description: description })
  const malformed = refusal('invalid_request', 'The request must carry one well-formed bearer token')
  const invalid = refusal('invalid_token', 'The access token is not valid here')
  const expired = refusal('invalid_token', 'The access token has expired')
  const insufficient = challenge('Bearer', {
    realm,
    error: 'insufficient_scope',
    error_description: 'The access token does not allow this',
    ...(scope !== '' && { scope }),
  })
  return {
    rejection: invalid,
    malformed: message => new AuthenticationError('malformed', message, { challenge: malformed }),
    invalid: message => new AuthenticationError('rejected', message, { challenge: invalid }),
    expired: () => new AuthenticationError('rejected', 'the token has expired', { challenge: expired }),
    insufficientScope: () =>
      new AuthenticationError('forbidden', 'the token lacks a scope', { challenge: insufficient }),
  }
}
