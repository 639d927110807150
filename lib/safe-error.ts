import { EventStreamError } from './errors.ts'
import { Redaction } from './redaction.ts'

/** How many causes are followed. */
const DEEPEST_CAUSE = 4

/**
 * Makes an error safe to emit and log after a store or an application function has failed. Store clients put the failed
 * command on their errors, with session keys and data; HTTP clients put the request, with its token.
 *
 * Only the name, code, message and stack locations are kept, also of its causes; of an error with a `status` for Koa
 * also that, `expose` and `headers`. In messages everything in `secrets`, or that looks like a key or a token, becomes
 * `[hidden]`, and text after 4,096 characters is cut; the message of a `SyntaxError` is dropped, as JSON.parse quotes
 * its input. Errors of this package stay the same object, with a safe cause and without foreign properties.
 *
 * @param secrets the known secrets; those shorter than 4 characters are ignored
 */
export function safeError(error: unknown, secrets: readonly (string | undefined)[] = []): Error {
  return safe(error, new Redaction(secrets), DEEPEST_CAUSE)
}

function safe(error: unknown, redaction: Redaction, depth: number): Error {
  try {
    if (!(error instanceof Error))
      return new Error(`${error === null ? 'null' : `a value of type ${typeof error}`} was thrown`)
    return error instanceof EventStreamError ? cleaned(error, redaction, depth) : copyOf(error, redaction, depth)
  } catch {
    return new Error('an error that cannot be read was thrown')
  }
}

// Writes only what differs: the error may be frozen.
function cleaned(error: EventStreamError, redaction: Redaction, depth: number): EventStreamError {
  const name = nameOf(error, redaction)
  const message = redaction.message(error.message)
  const { header, places } = stackOf(error)
  const isAsMade = name === error.name && message === error.message && redaction.passes(header)
  if (!isAsMade) Object.assign(error, { name, message, stack: `${name}: ${message}\n${redaction.known(places)}` })
  if (error.cause !== undefined) error.cause = depth === 0 ? undefined : safe(error.cause, redaction, depth - 1)
  const isCode = /^ERR_[A-Z_]{1,60}$/.test(error.code)
  for (const key of Reflect.ownKeys(error)) {
    const isOwn = key === 'code' ? isCode : OWN.has(key)
    if (!isOwn && !Reflect.deleteProperty(error, key))
      return new EventStreamError(isCode ? error.code : 'ERR_BROKER', message)
  }
  return error
}

// The own properties of this package's errors; others have been added by the thrower.
const OWN = new Set<string | symbol>(['name', 'message', 'stack', 'cause', 'status', 'challenge'])

function copyOf(error: Error, redaction: Redaction, depth: number): Error {
  const name = nameOf(error, redaction)
  const message = error instanceof SyntaxError ? 'a value could not be parsed' : redaction.message(error.message)
  const cause = error.cause === undefined || depth === 0 ? {} : { cause: safe(error.cause, redaction, depth - 1) }
  const copy = error instanceof TypeError ? new TypeError(message, cause) : new Error(message, cause)
  Object.defineProperty(copy, 'name', { value: name, configurable: true, writable: true })
  copy.stack = `${name}: ${message}\n${redaction.known(stackOf(error).places)}`
  return Object.assign(copy, codeOf(error, redaction), answerOf(error))
}

function nameOf({ name }: Error, redaction: Redaction): string {
  return isWord(name) && (redaction.passes(name) || /(?:Error|Exception)$/.test(name)) && redaction.known(name) === name
    ? name
    : 'Error'
}

function codeOf(error: object, redaction: Redaction): { code?: string | number } {
  const code = 'code' in error ? error.code : undefined
  if (typeof code === 'number') return { code }
  // ERR_HTTP2_STREAM_ERROR is a name, in spite of its digits.
  const isName = isWord(code) && (redaction.passes(code) || /^[A-Z]{2,}[A-Z0-9]*_[A-Z0-9_]+$/.test(code))
  return isName && redaction.known(code) === code ? { code } : {}
}

function isWord(value: unknown): value is string {
  return typeof value === 'string' && /^\w{1,64}$/.test(value)
}

/** The response properties that Koa uses, as `ctx.throw()` sets them. */
function answerOf(error: object): object {
  if (!('status' in error) || typeof error.status !== 'number') return {}
  const { status } = error
  if (!('expose' in error) || typeof error.expose !== 'boolean') return { status }
  const headers = 'headers' in error ? error.headers : undefined
  return { status, expose: error.expose, ...(headers !== undefined && { headers }) }
}

// `at Feed.start (file:///srv/lib/feed.ts:1:2)`, `at async Promise.all (index 0)`, `at Array.map (<anonymous>)`.
const PLACE = /^ +at .*(?::\d+:\d+\)?|\((?:<anonymous>|native|index \d+)\))$/

/** The header of a stack, and its lines with locations: those after the message, which may contain similar lines. */
function stackOf({ stack = '', message }: Error): { readonly header: string; readonly places: string } {
  const start = stack.indexOf(message)
  const lines = stack.slice(start === -1 ? 0 : start + message.length).split('\n')
  const first = lines.findLastIndex(line => !PLACE.test(line)) + 1
  const places = lines.slice(first).join('\n')
  return { header: stack.slice(0, stack.length - places.length), places }
}
