/**
 * Option checks, done once at start-up. Each returns the checked value or its default, or throws a `TypeError` naming
 * the option. Messages never contain a given string: it could be a secret.
 */

/** The longest delay of a Node timer, in milliseconds. */
export const LONGEST_DURATION = 2 ** 31 - 1

/** Refuses values that are not objects, and unknown keys, so that a typo cannot disable a security setting. */
export function knownKeys(name: string, options: unknown, allowed: readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw invalid(name, 'an object of options', options)
  }
  for (const key of Object.keys(options)) {
    if (allowed.includes(key)) continue
    throw new TypeError(`\`${name}\` has no option \`${key}\`; it takes ${listed(allowed)}`)
  }
}

/** A whole number within bounds. Without a default it is required. */
export function integer(
  name: string,
  value: number | undefined,
  { min = 0, max = Number.MAX_SAFE_INTEGER, default: preset }: { min?: number; max?: number; default?: number } = {},
): number {
  const number: unknown = value ?? preset
  if (Number.isSafeInteger(number) && (number as number) >= min && (number as number) <= max) return number as number
  throw invalid(name, `a whole number from ${String(min)} to ${String(max)}`, number)
}

/** Whole milliseconds, at most a timer's maximum. Without a default it is required. */
export function duration(
  name: string,
  value: number | undefined,
  { min = 1, max = LONGEST_DURATION, default: preset }: { min?: number; max?: number; default?: number } = {},
): number {
  const ms: unknown = value ?? preset
  if (Number.isSafeInteger(ms) && (ms as number) >= min && (ms as number) <= max) return ms as number
  throw invalid(name, `whole milliseconds from ${String(min)} to ${String(max)}`, ms)
}

/** One of a closed list. Without a default it is required. */
export function oneOf<const T extends string | boolean>(
  name: string,
  value: T | undefined,
  allowed: readonly T[],
  preset?: NoInfer<T>,
): T {
  const choice = value ?? preset
  if (choice !== undefined && allowed.includes(choice)) return choice
  throw invalid(name, `one of ${listed(allowed)}`, choice)
}

/** `true` or `false`. Without a default it is required. */
export function flag(name: string, value: boolean | undefined, preset?: boolean): boolean {
  const given: unknown = value ?? preset
  if (typeof given === 'boolean') return given
  throw invalid(name, 'true or false', given)
}

/** A function. Without a default it is required. */
export function fn<F extends (...args: never[]) => unknown>(name: string, value: F | undefined, preset?: F): F {
  const given = value ?? preset
  if (typeof given === 'function') return given
  throw invalid(name, 'a function', given)
}

/** A string that is not empty. Without a default it is required. */
export function text(name: string, value: string | undefined, preset?: string): string {
  const given: unknown = value ?? preset
  if (typeof given === 'string' && given !== '') return given
  throw invalid(name, 'a string that is not empty', given)
}

/** A list of non-empty strings, or one such string. Without a default it is required. */
export function texts(
  name: string,
  value: string | readonly string[] | undefined,
  preset?: readonly string[],
): readonly string[] {
  const given: unknown = value ?? preset
  const list: unknown[] = Array.isArray(given) ? given : [given]
  if (list.length === 0) throw invalid(name, 'a string or a list of strings, not empty', given)
  return Object.freeze(list.map(item => text(name, item as string | undefined)))
}

/** A `TypeError` naming the option and what it must be. */
export function invalid(name: string, expected: string, given: unknown): TypeError {
  return new TypeError(`\`${name}\` must be ${expected}, not ${described(given)}`)
}

function described(value: unknown): string {
  if (value === null || value === undefined || typeof value === 'number' || typeof value === 'boolean')
    return String(value)
  if (Array.isArray(value)) return 'a list'
  if (value === '') return 'an empty string'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

function listed(words: readonly (string | boolean)[]): string {
  return words.map(word => `\`${String(word)}\``).join(', ')
}
