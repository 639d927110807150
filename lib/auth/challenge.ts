import { invalid } from '../options.ts'

/** The default realm of challenges. */
export const DEFAULT_REALM = 'events'

// What a quoted-string holds without escapes: printable ASCII but `"` and `\` (RFC 9110, section 5.6.4; RFC 6750,
// section 3 requires the same). A line break here would split the header, and Koa would respond with 500.
const QUOTABLE = /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/

/** Checks an option that will be quoted in a `WWW-Authenticate` header. */
export function quotable(name: string, value: string): string {
  if (QUOTABLE.test(value)) return value
  throw invalid(name, 'printable ASCII without quotes and backslashes', value)
}

/** Builds a `WWW-Authenticate` value. Throws if a parameter is not quotable. */
export function challenge(scheme: string, parameters: Readonly<Record<string, string>>): string {
  const quoted = Object.entries(parameters).map(([name, value]) => `${name}="${quotable(name, value)}"`)
  return `${scheme} ${quoted.join(', ')}`
}
