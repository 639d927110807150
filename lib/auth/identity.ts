/** Who holds a stream, as an authenticator found out. Frozen. */
export interface Identity {
  /** The user or client, as the application names it. Limits and `hub.disconnect({ identity })` count by it. */
  readonly id: string
  /** How the identity was proven: `session`, `bearer`, or a custom authenticator's own word. */
  readonly scheme: string
  /** When the proof ends, in milliseconds since 1970. The stream is closed then. */
  readonly expiresAt?: number
  /**
   * The key of the session in its store; `hub.disconnect({ session })` finds streams by it.
   * It opens the session to whoever has it, so it is not enumerable: logging an identity does not show it.
   */
  readonly session?: string
  /** The token's `jti`; `hub.revoke(token)` and `hub.disconnect({ token })` find streams by it. */
  readonly token?: string
  /** What the token or the session says of its holder. */
  readonly claims?: Readonly<Record<string, unknown>>
}

/** Builds a frozen identity whose `session` stays out of logs. */
export function createIdentity(fields: Identity): Identity {
  if (typeof fields.id !== 'string' || fields.id === '') {
    throw new TypeError('an identity needs an `id`: a string that is not empty')
  }
  const { session, ...visible } = fields
  const identity = visible as Identity
  if (session !== undefined) Object.defineProperty(identity, 'session', { value: session, enumerable: false })
  return Object.freeze(identity)
}
