/** What is said of a holder, where nothing is known of its shape. */
export type UnknownClaims = Record<string, unknown>

/** Who holds a stream, as an authenticator found out. Frozen. `Claims` is the shape of what is said of its holder. */
export interface Identity<Claims extends object = UnknownClaims> {
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
  readonly claims?: Readonly<Claims>
}

// What `createIdentity()` has made. Others may be frozen, too, and show their session.
const made = new WeakSet<Identity<object>>()

/**
 * Builds a frozen identity whose `session` stays out of logs.
 *
 * @throws {TypeError} for a field that is wrong
 */
export function createIdentity<Claims extends object = UnknownClaims>(fields: Identity<Claims>): Identity<Claims> {
  // A copy is checked, since a getter may answer something else when it is asked again.
  const { session, ...visible } = checkIdentity(plainCopy(fields))
  const identity = visible as Identity<Claims>
  if (session !== undefined) Object.defineProperty(identity, 'session', { value: session, enumerable: false })
  made.add(Object.freeze(identity))
  return identity
}

/** Whether a login has ended by its own time; `now` in milliseconds since 1970. */
export function hasEnded({ expiresAt = Infinity }: Pick<Identity, 'expiresAt'>, now: number): boolean {
  return expiresAt <= now
}

/**
 * Checks what an authenticator answered. What `createIdentity()` made is answered as it is; of anything else, such as a
 * user of an object-relational mapper, a frozen copy, so that nobody can change it while a stream is counted by it.
 *
 * @throws {TypeError} for a field that is wrong
 */
export function frozenIdentity(answer: unknown): Identity {
  const identity = checkIdentity(answer)
  return made.has(identity) ? identity : createIdentity(identity)
}

/**
 * Checks that a value is an identity: limits, disconnections and the end of a stream hang on its fields.
 *
 * @throws {TypeError} that names the wrong field, and shows none
 */
export function checkIdentity(value: unknown): Identity {
  if (typeof value !== 'object' || value === null) throw new TypeError('an identity is an object with an `id`')
  const { id, session, token, expiresAt } = value as Partial<Record<keyof Identity, unknown>>
  if (!isName(id)) throw new TypeError('an identity needs an `id`: a string that is not empty')
  requireId(id)
  if (session !== undefined && !isName(session)) throw new TypeError('the `session` of an identity is a string')
  if (token !== undefined && !isName(token)) throw new TypeError('the `token` of an identity is a string')
  // NaN would be a time that never comes.
  if (expiresAt !== undefined && !(typeof expiresAt === 'number' && !Number.isNaN(expiresAt))) {
    throw new TypeError('the `expiresAt` of an identity is a number: milliseconds since 1970')
  }
  return value as Identity
}

const FIELDS = ['id', 'scheme', 'expiresAt', 'session', 'token', 'claims'] as const satisfies (keyof Identity)[]

// Fields may be inherited, as getters of a class are, or not be enumerable, as a session is not.
function plainCopy(fields: unknown): unknown {
  if (typeof fields !== 'object' || fields === null) return fields
  const copy: Record<string, unknown> = { ...fields }
  for (const name of FIELDS) {
    const value = (fields as Record<string, unknown>)[name]
    if (value !== undefined) copy[name] = value
  }
  return copy
}

// What JavaScript makes of a value that is missing: `String(session.userId)` would make one user of all visitors.
const MISSING: ReadonlySet<unknown> = new Set(['undefined', 'null', 'NaN', '[object Object]'])

/** @throws {TypeError} for an `id` that is a missing value made a string */
export function requireId(id: unknown): void {
  if (!MISSING.has(id)) return
  throw new TypeError(
    `an \`id\` is '${String(id)}', which is what becomes of a missing value as a string: \`identify\` must answer something falsy for nobody`,
  )
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}
