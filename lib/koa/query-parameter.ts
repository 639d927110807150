import type { IncomingMessage } from 'node:http'
import { unescape } from 'node:querystring'
import type { Context, Next } from 'koa'
import { invalid, text } from '../options.ts'
import type { Authenticator } from '../auth/authenticator.ts'
import type { UnknownClaims } from '../auth/identity.ts'

/** An authenticator whose credentials are in the URL. */
export interface QueryAuthenticator<Claims extends object = UnknownClaims> extends Authenticator<Claims> {
  /**
   * A Koa middleware that removes the parameter from the URL and keeps it aside for the authenticator. Mount it before
   * middleware that logs, on the path of the stream: it removes the parameter from every request that passes.
   */
  readonly hide: (ctx: Context, next: Next) => Promise<void>
}

// A WeakMap rather than a property, so that no logger prints it.
const concealed = new WeakMap<IncomingMessage, Map<string, readonly string[]>>()

// Where Koa, parseurl and routers cache a parsed URL.
const PARSED_REQUEST = ['_parsedUrl', '_parsedOriginalUrl'] as const
const PARSED = ['_querycache', 'memoizedURL'] as const

const NAME = /^[\w.-]+$/

// Tests one part of a query, as the client wrote it.
type IsPart = (part: string) => boolean

/** Checks an option that is the name of a parameter. */
export function checkParam(value: string | undefined, preset: string): string {
  const param = text('param', value, preset)
  if (NAME.test(param)) return param
  throw invalid('param', 'a name of letters, digits, dots, hyphens and underscores', param)
}

/**
 * Removes a parameter from a request's URL, everywhere that Koa and Node keep it, and keeps its values aside: URLs end
 * up in logs and histories (RFC 6750, section 5.3). Also keeps pages from sending it on as `Referer`.
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
 * Removes an option of this library's own client, such as `stream=poll`, from a request's URL: the application did not
 * put it there. A parameter of that name with another value is the application's.
 *
 * @returns whether the URL had it
 */
export function takeWord(ctx: Context, word: string): boolean {
  const isWord = (part: string): boolean => part === word
  if (!parametersOf(ctx.url).some(isWord)) return false
  takeOut(ctx, isWord)
  return true
}

/** Removes parts of the query from the URL, everywhere that Koa and Node keep it. */
function takeOut(ctx: Context, isTaken: IsPart): void {
  const { req, request } = ctx
  ctx.url = without(ctx.url, isTaken)
  ctx.originalUrl = request.originalUrl = without(ctx.originalUrl, isTaken)
  // Set if Koa runs inside another framework.
  if ('originalUrl' in req && typeof req.originalUrl === 'string') req.originalUrl = without(req.originalUrl, isTaken)
  if (req.httpVersionMajor > 1) takeFromRawPath(req, isTaken)
  for (const name of PARSED_REQUEST) Reflect.deleteProperty(req, name)
  for (const name of PARSED) Reflect.deleteProperty(request, name)
}

/** The values of a concealed parameter, in order; empty if the request has none. */
export function concealedValues(ctx: Context, param: string): readonly string[] {
  return concealed.get(ctx.req)?.get(param) ?? []
}

/** The values of all concealed parameters. */
export function allConcealed(ctx: Context): readonly string[] {
  return [...(concealed.get(ctx.req)?.values() ?? [])].flat()
}

/** Whether the URL of a request had credentials: its response must not be cached then. */
export function hasConcealed(ctx: Context): boolean {
  return concealed.has(ctx.req)
}

/** Creates a middleware that conceals. */
export function hideBy(conceal: (ctx: Context) => void): QueryAuthenticator['hide'] {
  return async (ctx, next) => {
    conceal(ctx)
    await next()
  }
}

// Over HTTP/2 the URL is a header. Setting `req.url` changes the headers, but not the raw ones.
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

// The rest stays as the client wrote it.
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

// Like Koa: decodes what it can, and never throws.
function decode(text: string): string {
  return unescape(text.replaceAll('+', ' '))
}
