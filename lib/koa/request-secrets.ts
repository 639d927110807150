import { Buffer } from 'node:buffer'
import type { Context } from 'koa'
import type { Identity } from '../auth/identity.ts'
import { allConcealed } from './query-parameter.ts'

// What is shorter in a request is no secret. Its client must not blot out what the operator is told by naming it.
const SHORTEST = 8

// Node has names in lower case. Applications have keys in headers of their own, such as `X-API-Key`.
const CREDENTIALS = /^(?:proxy-)?authorization$|-(?:key|token|secret)$/

/** Everything of a request that opens something to whoever has it: no error may show it. */
export function secretsOf(ctx: Context, identity?: Identity): (string | undefined)[] {
  const given = Object.entries(ctx.req.headers)
    .filter(([name]) => CREDENTIALS.test(name))
    .flatMap(([, value = []]) => value)
    .map(credentialsOf)
  const values = withParts([...given.flatMap(({ words }) => words), ...allConcealed(ctx)])
  const cookies = withParts(cookiesOf(ctx.get('cookie'))).filter(value => !isOrdinary(value))
  const carried = [...values, ...cookies].filter(value => value.length >= SHORTEST)
  // What is known to be a credential counts also where it is short.
  return [identity?.session, identity?.token, ...given.map(({ password }) => password), ...carried]
}

/** The same of a request whose credentials may still be in its URL, with every value of its query. */
export function secretsWithQueryOf(ctx: Context): (string | undefined)[] {
  const values = withParts(Object.values(ctx.query).flatMap(value => value ?? []))
  return [...secretsOf(ctx), ...values.filter(value => value.length >= SHORTEST)]
}

/**
 * A header as a whole, as keys are sent without a scheme, and the words behind one (RFC 9110, section 11.4): credentials as
 * a whole, in a list, or as parameters.
 */
function credentialsOf(header: string): { words: string[]; password: string | undefined } {
  const [, scheme = '', credentials = ''] = /^(\S+)[ \t]+(.*)$/.exec(header) ?? []
  const parameters = [...credentials.matchAll(/=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/g)]
  const words = [
    header,
    ...credentials.split(/[ \t,]+/),
    ...parameters.map(([, quoted, plain]) => quoted?.replace(/\\(.)/g, '$1') ?? plain ?? ''),
  ]
  if (scheme.toLowerCase() !== 'basic') return { words, password: undefined }
  // RFC 7617, section 2: the id of a user has no colon.
  const pair = Buffer.from(credentials, 'base64').toString()
  return { words: [...words, pair], password: pair.includes(':') ? pair.slice(pair.indexOf(':') + 1) : undefined }
}

// RFC 6265, section 4.1.1: quotes around a value are not part of it to those who read cookies.
function cookiesOf(header: string): string[] {
  return header.split(';').map(pair =>
    pair
      .slice(pair.indexOf('=') + 1)
      .trim()
      .replace(/^"(.*)"$/, '$1'),
  )
}

/** Values, decoded ones too, and the parts of a token or of a signed cookie, as those who decode it have them. */
function withParts(values: readonly string[]): string[] {
  const all = values.flatMap(value => [value, decoded(value)])
  return [...all, ...all.flatMap(value => (/[.:]/.test(value) ? value.split(/[.:]/) : []))]
}

/** Whether a value is a word such as `database`, and no key: what makes keys uses more than letters of one case. */
function isOrdinary(value: string): boolean {
  return value.length < 16 && /^(?:[A-Za-z]?[a-z]*|[A-Z]*)$/.test(value)
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}
