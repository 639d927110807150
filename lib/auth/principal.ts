import { requireId, type UnknownClaims } from './identity.ts'

/** Who an application's `identify` says that the credentials belong to. */
export interface Principal<Claims extends object = UnknownClaims> {
  /** The user or client. Numbers become strings; `'undefined'`, `'null'`, `'NaN'` and `'[object Object]'` are refused. */
  readonly id: string | number | bigint
  /**
   * When the login ends, in milliseconds since 1970, where that is earlier than the credentials themselves end. `Infinity`
   * where nothing but those ends it.
   */
  readonly expiresAt?: number
  /** What else is to be known of the principal: `identity.claims`. */
  readonly claims?: Readonly<Claims>
}

/** An application's word for "nobody". */
export type Nobody = undefined | null | false | '' | 0

/**
 * What an application's `identify` answers. Given fields of any name, it makes something unknown of them, which is
 * checked when it comes; an `identify` whose parameter is annotated with its fields is checked by the compiler, and the type
 * of its `claims` goes on into `identity.claims`.
 */
export type Answer<Given, Who extends Principal<object>> = string extends keyof Given
  ? unknown
  : Who | Nobody | Promise<Who | Nobody>

/** A principal whose id is a string. */
export interface CheckedPrincipal extends Principal {
  readonly id: string
}

/**
 * Checks what an application's `identify` answered.
 *
 * @throws {TypeError} for an answer that is neither a principal nor falsy: it must not pass for "nobody".
 */
export function checkPrincipal(answer: unknown): CheckedPrincipal | undefined {
  if (!answer) return undefined
  if (typeof answer !== 'object') throw malformed('an object with an `id`, or something falsy')
  const { id, expiresAt, claims } = answer as { id?: unknown; expiresAt?: unknown; claims?: unknown }
  if (expiresAt !== undefined && !(typeof expiresAt === 'number' && !Number.isNaN(expiresAt))) {
    throw malformed('`expiresAt` in milliseconds since 1970')
  }
  if (claims !== undefined && !isRecord(claims)) throw malformed('`claims` as an object')
  return {
    id: checkId(id),
    ...(expiresAt !== undefined && { expiresAt }),
    ...(claims !== undefined && { claims: Object.freeze({ ...claims }) }),
  }
}

/** Whether a value is an object that is no array. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function checkId(id: unknown): string {
  requireId(id)
  if (typeof id === 'string' && id !== '') return id
  if (typeof id === 'bigint' || Number.isSafeInteger(id)) return String(id)
  throw malformed('an `id` that is a string, not empty, or a whole number')
}

function malformed(expected: string): TypeError {
  return new TypeError(`\`identify\` must answer ${expected}`)
}
