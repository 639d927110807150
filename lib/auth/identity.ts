/** Claims of unknown shape. */
export type UnknownClaims = Record<string, unknown>

/** The identity that an authenticator found for a stream. Frozen. `Claims` is the type of `claims`. */
export interface Identity<Claims extends object = UnknownClaims> {
  /** The user or client. Limits and `hub.disconnect({ identity })` use it. */
  readonly id: string
  /** How the identity was authenticated: `session`, `bearer`, or a custom authenticator's scheme. */
  readonly scheme: string
  /** When the login expires, in milliseconds since 1970. The stream is closed then. */
  readonly expiresAt?: number
  /**
   * The key of the session in its store; `hub.disconnect({ session })` finds streams by it. Whoever knows it can use
   * the session, so it is not enumerable and stays out of logs.
   */
  readonly session?: string
  /** The token's `jti`; `hub.revoke(token)` and `hub.disconnect({ token })` find streams by it. */
  readonly token?: string
  /** The claims of the token or session. */
  readonly claims?: Readonly<Claims>
}

// Identities made by `createIdentity()`. A frozen object from elsewhere may have an enumerable session.
const made = new WeakSet<Identity<object>>()

/**
 * Builds a frozen identity whose `session` stays out of logs.
 *
 * @throws {TypeError} for an invalid field
 */
export function createIdentity<Claims extends object = UnknownClaims>(fields: Identity<Claims>): Identity<Claims> {
  // Check the copy: a getter may return something else the next time.
  const { session, ...visible } = checkIdentity(plainCopy(fields))
  const identity = visible as Identity<Claims>
  if (session !== undefined) Object.defineProperty(identity, 'session', { value: session, enumerable: false })
  made.add(Object.freeze(identity))
  return identity
}

/** Whether a login has expired; `now` in milliseconds since 1970. */
export function hasEnded({ expiresAt = Infinity }: Pick<Identity, 'expiresAt'>, now: number): boolean {
  return expiresAt <= now
}

/**
 * Checks an authenticator's return value. An identity from `createIdentity()` is returned as it is; anything else, such
 * as an ORM entity, is copied and frozen, so that its fields cannot change while a stream is counted by them.
 *
 * @throws {TypeError} for an invalid field
 */
export function frozenIdentity(answer: unknown): Identity {
  const identity = checkIdentity(answer)
  return made.has(identity) ? identity : createIdentity(identity)
}

/**
 * Checks that a value is an identity: limits, disconnects and expiry depend on its fields.
 *
 * @throws {TypeError} naming the invalid field, never its value
 */
export function checkIdentity(value: unknown): Identity {
  if (typeof value !== 'object' || value === null) throw new TypeError('an identity must be an object with an `id`')
  const { id, session, token, expiresAt } = value as Partial<Record<keyof Identity, unknown>>
  if (!isName(id)) throw new TypeError('the `id` of an identity must be a non-empty string')
  requireId(id)
  if (session !== undefined && !isName(session)) throw new TypeError('the `session` of an identity must be a string')
  if (token !== undefined && !isName(token)) throw new TypeError('the `token` of an identity must be a string')
  // NaN would never expire.
  if (expiresAt !== undefined && !(typeof expiresAt === 'number' && !Number.isNaN(expiresAt))) {
    throw new TypeError('the `expiresAt` of an identity must be a number: milliseconds since 1970')
  }
  return value as Identity
}

const FIELDS = ['id', 'scheme', 'expiresAt', 'session', 'token', 'claims'] as const satisfies (keyof Identity)[]

// Properties may be inherited (getters of a class) or not enumerable (`session`).
function plainCopy(fields: unknown): unknown {
  if (typeof fields !== 'object' || fields === null) return fields
  const copy: Record<string, unknown> = { ...fields }
  for (const name of FIELDS) {
    const value = (fields as Record<string, unknown>)[name]
    if (value !== undefined) copy[name] = value
  }
  return copy
}

// Missing values converted to strings: `String(session.userId)` would make all visitors one user.
const MISSING: ReadonlySet<unknown> = new Set(['undefined', 'null', 'NaN', '[object Object]'])

/** @throws {TypeError} for an `id` that is a missing value converted to a string */
export function requireId(id: unknown): void {
  if (!MISSING.has(id)) return
  throw new TypeError(
    `\`id\` is '${String(id)}', a missing value converted to a string: \`identify\` must return a falsy value if nobody is logged in`,
  )
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}
