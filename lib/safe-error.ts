import { EventStreamError } from './errors.ts'

/** How far a chain of causes is followed. */
const DEEPEST_CAUSE = 4
const HIDDEN = '[hidden]'
// What is shorter is no secret, and hiding it would hide half of the message.
const SHORTEST_SECRET = 4

/**
 * Makes an error that may be told and logged of one that a store, or a function of the application, has failed with.
 * Clients of stores put the command that failed on their errors, with the key of a session and what it holds; clients of
 * HTTP the request, with its token.
 *
 * Only name, code, message and the places in the code go on, of its causes too; of an error that Koa is to answer with
 * its `status` also that, `expose` and `headers`. In messages whatever is in `secrets`, or looks like a key or a token, is
 * `[hidden]`; those of a `SyntaxError` are left out, as JSON.parse quotes what it could not read. Errors of this package
 * stay themselves, with a safe cause and nothing that somebody else has put on them.
 *
 * @param secrets what is known to be secret; those of less than 4 characters count for nothing
 */
export function safeError(error: unknown, secrets: readonly (string | undefined)[] = []): Error {
  const known = secrets.filter(secret => secret !== undefined && secret.length >= SHORTEST_SECRET) as string[]
  // The longest first, since one may be a part of another.
  return safe(
    error,
    known.sort((a, b) => b.length - a.length),
    DEEPEST_CAUSE,
  )
}

function safe(error: unknown, secrets: readonly string[], depth: number): Error {
  if (!(error instanceof Error))
    return new Error(`${error === null ? 'null' : `a value of type ${typeof error}`} was thrown`)
  try {
    return error instanceof EventStreamError ? cleaned(error, secrets, depth) : copyOf(error, secrets, depth)
  } catch {
    return new Error('an error that cannot be read was thrown')
  }
}

function cleaned(error: EventStreamError, secrets: readonly string[], depth: number): EventStreamError {
  const message = withoutSecrets(error.message, secrets)
  if (message !== error.message) {
    error.message = message
    error.stack = `${error.name}: ${message}\n${framesOf(error, secrets)}`
  }
  if (error.cause !== undefined) error.cause = safe(error.cause, secrets, depth - 1)
  for (const name of Reflect.ownKeys(error)) {
    if (!OWN.has(name) && !Reflect.deleteProperty(error, name)) return new EventStreamError(error.code, message)
  }
  return error
}

// What an error of this package has of itself. Whoever throws one may have put more on it.
const OWN = new Set<string | symbol>(['name', 'message', 'stack', 'code', 'cause', 'status', 'challenge'])

function copyOf(error: Error, secrets: readonly string[], depth: number): Error {
  const name = /^\w{1,64}$/.test(error.name) ? error.name : 'Error'
  const message = error instanceof SyntaxError ? 'something could not be parsed' : hide(error.message, secrets)
  const cause = error.cause === undefined || depth === 0 ? {} : { cause: safe(error.cause, secrets, depth - 1) }
  const copy = error instanceof TypeError ? new TypeError(message, cause) : new Error(message, cause)
  Object.defineProperty(copy, 'name', { value: name, configurable: true, writable: true })
  copy.stack = `${name}: ${message}\n${framesOf(error, secrets)}`
  return Object.assign(copy, codeOf(error), answerOf(error))
}

function codeOf(error: object): object {
  const code = 'code' in error ? error.code : undefined
  return typeof code === 'number' || (typeof code === 'string' && /^\w{1,64}$/.test(code)) ? { code } : {}
}

/** What Koa answers an error with, as `ctx.throw()` says it. */
function answerOf(error: object): object {
  if (!('status' in error) || typeof error.status !== 'number') return {}
  const { status } = error
  if (!('expose' in error) || typeof error.expose !== 'boolean') return { status }
  const headers = 'headers' in error ? error.headers : undefined
  return { status, expose: error.expose, ...(headers !== undefined && { headers }) }
}

/** The lines of a stack that say where: those behind the message. */
function framesOf(error: Error, secrets: readonly string[]): string {
  const lines = (error.stack ?? '').split('\n')
  const start = lines.findLastIndex(line => !/^ +at /.test(line)) + 1
  return withoutSecrets(lines.slice(start).join('\n'), secrets)
}

function hide(text: string, secrets: readonly string[]): string {
  return withoutSecrets(text, secrets).replace(/[\w=~-]{8,}/g, word => (isOpaque(word) ? HIDDEN : word))
}

function withoutSecrets(text: string, secrets: readonly string[]): string {
  return secrets.reduce((safer, secret) => safer.replaceAll(secret, HIDDEN), text)
}

/** Whether a word looks made by a machine: with digits, a part of a JWT, or long and in both cases. */
function isOpaque(word: string): boolean {
  return /\d|^eyJ/.test(word) || (word.length >= 20 && /[a-z]/.test(word) && /[A-Z]/.test(word))
}
