import type { IncomingMessage } from 'node:http'
import { unescape } from 'node:querystring'
import type { Context, Next } from 'koa'
import { invalid, text } from '../options.ts'
import type { Authenticator } from '../auth/authenticator.ts'
import type { UnknownClaims } from '../auth/identity.ts'

/** An authenticator whose credentials come in the URL. */
export interface QueryAuthenticator<Claims extends object = UnknownClaims> extends Authenticator<Claims> {
  /**
   * A Koa middleware that takes the parameter out of the URL and keeps it aside for the authenticator. Mount it before
   * middleware that logs, on the path of the stream: it takes the parameter from any request that passes.
   */
  readonly hide: (ctx: Context, next: Next) => Promise<void>
}

// Weak, and in nothing that a logger could come across.
const concealed = new WeakMap<IncomingMessage, Map<string, readonly string[]>>()

// What Koa, parseurl and routers remember of a URL that they have parsed.
const PARSED_REQUEST = ['_parsedUrl', '_parsedOriginalUrl'] as const
const PARSED = ['_querycache', 'memoizedURL'] as const

const NAME = /^[\w.-]+$/

// A part of a query, as the client wrote it.
type IsPart = (part: string) => boolean

/** Checks an option that names a parameter. */
export function checkParam(value: string | undefined, preset: string): string {
  const param = text('param', value, preset)
  if (NAME.test(param)) return param
  throw invalid('param', 'a name of letters, digits, dots, hyphens and underscores', param)
}

/**
 * Takes a parameter out of the URL of a request, wherever Koa and Node keep it, and keeps its values aside: URLs are
 * logged, and kept in histories (RFC 6750, section 5.3). A page must not send it on as a `Referer` either.
 */
export function concealParameter(ctx: Context, param: string): void {
  const { req } = ctx
  const values = valuesOf(ctx.url, param)
  if (values.length === 0) return
  const kept = concealed.get(req) ?? new Map<string, readonly string[]>()
  concealed.set(req, kept.set(param, [...(kept.get(param) ?? []), ...values]))
  takeOut(ctx, part => nameOf(part) === param)
  ctx.set('Referrer-Policy', 'no-referrer')
}

/**
 * Takes a word that the library's own client says, such as `stream=poll`, out of the URL of a request: the application did
 * not put it there. A parameter of that name with another value is the application's.
 *
 * @returns whether the URL had it
 */
export function takeWord(ctx: Context, word: string): boolean {
  const isWord = (part: string): boolean => part === word
  if (!parametersOf(ctx.url).some(isWord)) return false
  takeOut(ctx, isWord)
  return true
}

/** Takes parts of the query out of the URL, wherever Koa and Node keep it. */
function takeOut(ctx: Context, isTaken: IsPart): void {
  const { req, request } = ctx
  ctx.url = without(ctx.url, isTaken)
  ctx.originalUrl = request.originalUrl = without(ctx.originalUrl, isTaken)
  // Where Koa runs inside another framework.
  if ('originalUrl' in req && typeof req.originalUrl === 'string') req.originalUrl = without(req.originalUrl, isTaken)
  if (req.httpVersionMajor > 1) takeFromRawPath(req, isTaken)
  for (const name of PARSED_REQUEST) Reflect.deleteProperty(req, name)
  for (const name of PARSED) Reflect.deleteProperty(request, name)
}

/** The values of a parameter that was concealed, in their order; none where the request has none. */
export function concealedValues(ctx: Context, param: string): readonly string[] {
  return concealed.get(ctx.req)?.get(param) ?? []
}

/** The values of all parameters that were concealed. */
export function allConcealed(ctx: Context): readonly string[] {
  return [...(concealed.get(ctx.req)?.values() ?? [])].flat()
}

/** Whether the URL of a request carried credentials. Caches must not keep what it is answered with. */
export function hasConcealed(ctx: Context): boolean {
  return concealed.has(ctx.req)
}

/** Makes a middleware that conceals. */
export function hideBy(conceal: (ctx: Context) => void): QueryAuthenticator['hide'] {
  return async (ctx, next) => {
    conceal(ctx)
    await next()
  }
}

// HTTP/2 has the URL among the headers. Setting `req.url` changes those, but not the raw ones.
function takeFromRawPath({ rawHeaders }: IncomingMessage, isTaken: IsPart): void {
  const at = rawHeaders.indexOf(':path') + 1
  const path = rawHeaders[at]
  if (at > 0 && path !== undefined) rawHeaders[at] = without(path, isTaken)
}

function valuesOf(url: string, param: string): string[] {
  return parametersOf(url)
    .filter(part => nameOf(part) === param)
    .map(part => decode(part.slice(part.includes('=') ? part.indexOf('=') + 1 : part.length)))
}

// What is left stays as the client wrote it.
function without(url: string, isTaken: IsPart): string {
  const path = url.slice(0, startOfQuery(url))
  const rest = parametersOf(url).filter(part => !isTaken(part))
  return rest.length === 0 ? path : `${path}?${rest.join('&')}`
}

function parametersOf(url: string): string[] {
  return url
    .slice(startOfQuery(url) + 1)
    .split('&')
    .filter(part => part !== '')
}

function startOfQuery(url: string): number {
  const start = url.indexOf('?')
  return start === -1 ? url.length : start
}

function nameOf(part: string): string {
  return decode(part.split('=', 1)[0] ?? '')
}

// As Koa does, which decodes what can be decoded and throws at nothing.
function decode(text: string): string {
  return unescape(text.replaceAll('+', ' '))
}
