import { Buffer } from 'node:buffer'
import type { Context } from 'koa'
import type { Identity } from '../auth/identity.ts'
import { allConcealed } from './query-parameter.ts'

// Shorter values are not treated as secrets: a client could otherwise redact common words from the operator's logs.
const SHORTEST = 8

// Node's header names are lower case. Applications may have keys in their own headers, such as `X-API-Key`.
const CREDENTIALS = /^(?:proxy-)?authorization$|-(?:key|token|secret)$/

/**
 * All credentials in a request, and the session and token of its identity: no error may contain them.
 *
 * @param identity `undefined` only before the request has been authenticated, or if the stream is open to all
 */
export function secretsOf(ctx: Context, identity: Identity | undefined): (string | undefined)[] {
  const given = Object.entries(ctx.req.headers)
    .filter(([name]) => CREDENTIALS.test(name))
    .flatMap(([, value = []]) => value)
    .map(credentialsOf)
  const values = withParts([...given.flatMap(({ words }) => words), ...allConcealed(ctx)])
  const cookies = withParts(cookiesOf(ctx.get('cookie'))).filter(value => !isOrdinary(value))
  const carried = [...values, ...cookies].filter(value => value.length >= SHORTEST)
  // Known credentials count even if they are short.
  return [identity?.session, identity?.token, ...given.map(({ password }) => password), ...carried]
}

/** The same for a request whose credentials may still be in its URL: includes every value of its query. */
export function secretsWithQueryOf(ctx: Context): (string | undefined)[] {
  const values = withParts(Object.values(ctx.query).flatMap(value => value ?? []))
  return [...secretsOf(ctx, undefined), ...values.filter(value => value.length >= SHORTEST)]
}

/**
 * The whole header, for keys sent without a scheme, and the words after a scheme (RFC 9110, section 11.4): as a whole,
 * as a list, and as parameters.
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
  // RFC 7617, section 2: a user-id has no colon.
  const pair = Buffer.from(credentials, 'base64').toString()
  return { words: [...words, pair], password: pair.includes(':') ? pair.slice(pair.indexOf(':') + 1) : undefined }
}

// RFC 6265, section 4.1.1: parsers strip the quotes around a value.
function cookiesOf(header: string): string[] {
  return header.split(';').map(pair =>
    pair
      .slice(pair.indexOf('=') + 1)
      .trim()
      .replace(/^"(.*)"$/, '$1'),
  )
}

/** Values, raw and decoded, and the parts of tokens and signed cookies, as decoders see them. */
function withParts(values: readonly string[]): string[] {
  const all = values.flatMap(value => [value, decoded(value)])
  return [...all, ...all.flatMap(value => (/[.:]/.test(value) ? value.split(/[.:]/) : []))]
}

/** Whether a value is a word such as `database`: keys use more than the letters of one case. */
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
