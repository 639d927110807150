import { requireId, type UnknownClaims } from './identity.ts'

/** The owner of the credentials, as the application's `identify` returns it. */
export interface Principal<Claims extends object = UnknownClaims> {
  /** The user or client. Numbers become strings; `'undefined'`, `'null'`, `'NaN'` and `'[object Object]'` are refused. */
  readonly id: string | number | bigint
  /**
   * When the login expires, in milliseconds since 1970, if that is before the credentials expire. `Infinity` sets no
   * earlier end.
   */
  readonly expiresAt?: number
  /** Further facts about the principal: `identity.claims`. */
  readonly claims?: Readonly<Claims>
}

/** A falsy value: nobody is logged in. */
export type Nobody = undefined | null | false | '' | 0

/**
 * The return type of an application's `identify`. For fields of unknown type it is `unknown`, checked at run time; if
 * the parameter of `identify` is annotated, the compiler checks the result, and the type of `claims` becomes that of
 * `identity.claims`.
 */
export type Answer<Given, Who extends Principal<object>> = string extends keyof Given
  ? unknown
  : Who | Nobody | Promise<Who | Nobody>

/** A principal whose id is a string. */
export interface CheckedPrincipal extends Principal {
  readonly id: string
}

/**
 * Checks the return value of an application's `identify`.
 *
 * @throws {TypeError} for a truthy value that is not a principal: it must not count as "nobody".
 */
export function checkPrincipal(answer: unknown): CheckedPrincipal | undefined {
  if (!answer) return undefined
  if (typeof answer !== 'object') throw malformed('an object with an `id`, or a falsy value')
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

/** Whether a value is an object other than an array. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function checkId(id: unknown): string {
  requireId(id)
  if (typeof id === 'string' && id !== '') return id
  if (typeof id === 'bigint' || Number.isSafeInteger(id)) return String(id)
  throw malformed('an `id` that is a non-empty string or an integer')
}

function malformed(expected: string): TypeError {
  return new TypeError(`\`identify\` must return ${expected}`)
}
