/**
 * Why there is no response:
 *
 * - `silent`: nothing has come in time
 * - `half`: its head has begun, and not ended in time
 * - `unreachable`: no connection, or one that breaks
 * - `untrusted`, `expired`, `misnamed`: what is wrong with the certificate
 * - `no-tls`: the server speaks no TLS
 * - `no-http`: it speaks no HTTP, such as one that wants TLS
 */
export type Failure = 'silent' | 'half' | 'unreachable' | 'untrusted' | 'expired' | 'misnamed' | 'no-tls' | 'no-http'

/** A response that is no stream: of another status than 200, or of another type. */
export interface NoStream {
  readonly status: number
  readonly type: string | undefined
}

/** Why there is no stream. */
export type Unopened = Failure | NoStream

// Codes of Node's and OpenSSL's.
const CODES: readonly (readonly [code: RegExp, failure: Failure])[] = [
  [/SELF_SIGNED|UNABLE_TO_(?:GET_ISSUER|VERIFY_LEAF)|CERT_(?:UNTRUSTED|SIGNATURE_FAILURE)/, 'untrusted'],
  [/^CERT_(?:HAS_EXPIRED|NOT_YET_VALID)$/, 'expired'],
  [/^ERR_TLS_CERT_ALTNAME_INVALID$/, 'misnamed'],
  [/^(?:EPROTO|ERR_SSL_.+)$/, 'no-tls'],
  [/^HPE_/, 'no-http'],
]

export function failureOf(error: Error): Failure {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  return CODES.find(([pattern]) => pattern.test(code))?.[1] ?? 'unreachable'
}
