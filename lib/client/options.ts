import type { GapReason } from '../wire/notices.ts'
import type { Environment, EventSourceClass } from './environment.ts'
import type { Reason, State } from './reasons.ts'

/** Describes an attempt to the functions that prepare it. */
export interface Attempt {
  /** 1 for the first one. */
  readonly attempt: number
  /** The reason for the attempt. */
  readonly reason: Reason
  /** Aborted when the result is no longer needed: after 30 s, or when the stream is closed. */
  readonly signal: AbortSignal
}

/** Returns the URL to request, or `null` to end the stream. */
export type UrlFunction = (attempt: Attempt) => string | URL | null | Promise<string | URL | null>

/** Why the application's state is loaded: at the start, or because events are missing. */
export type LoadReason =
  { readonly reason: 'start' } | { readonly reason: GapReason; readonly topics: readonly string[] }

/** What a loaded state includes: all events up to `cursor`, the result of `hub.cursor()` before the state was read. */
export interface Loaded {
  readonly cursor?: string | undefined
}

/** Request headers by name. */
export type Headers = Readonly<Record<string, string>> | globalThis.Headers

/** Options of `connect()`. */
export interface ConnectOptions {
  /** `hub.cursor()` when the page was rendered: the stream starts after it, and `load` is called for gaps only. */
  since?: string | undefined
  /**
   * Loads the application's state: at the start, unless `since` is given, and after a gap. Events that arrive meanwhile
   * are delivered after it, except those not after the returned `cursor`. A gap during a load aborts `signal` and
   * starts a new load, for all topics that are missing by then. If it fails, or takes more than 30 s, it is retried
   * with back-off.
   */
  load?: ((why: LoadReason, signal: AbortSignal) => Loaded | void | Promise<Loaded | void>) | undefined
  /**
   * `eventsource`: the browser's own, with its cookies or a ticket in the URL. `fetch`: with headers and a body.
   * Default: `fetch` if `headers`, `method` or `body` is given, or if there is no EventSource; else `eventsource`.
   */
  transport?: 'eventsource' | 'fetch' | undefined
  /** Headers, or a function called before each attempt. Requires `fetch`. */
  headers?: Headers | ((attempt: Attempt) => Headers | Promise<Headers>) | undefined
  /** Requires `fetch`. Default `GET`, or `POST` if there is a body. */
  method?: 'GET' | 'POST' | undefined
  /** Requires `fetch` and `POST`. */
  body?: string | undefined
  /** Whether to send cookies cross-origin. Default `false`. */
  withCredentials?: boolean | undefined
  /**
   * Names of further events besides those with a listener: EventSource delivers no others, for example to `for await`.
   * `fetch` delivers all.
   */
  events?: readonly string[] | undefined
  /**
   * Shares one connection among all tabs and windows of an origin in which both values are the same: browsers open six
   * per host over HTTP/1.1. `name` identifies the stream: tabs must use the same URL and options with it. `identity` is
   * the id of the login or the user: tabs of another identity never receive its events. A visible tab leads; another
   * takes over when it closes, navigates away, freezes or is hidden. `url` and `headers` are called in the leader, and
   * `load` in each tab. For streams of a hub, with `GET` only; a page without Web Locks, such as one over `http:`, does
   * not share.
   */
  share?: { readonly name: string; readonly identity: string } | undefined
  /** Called whenever the state or its reason has changed. */
  onState?: ((state: State, reason: Reason) => unknown) | undefined
  /** Called with errors of the application's functions. Default: the console, as for any uncaught error. */
  onError?: ((error: unknown) => unknown) | undefined
  /** Parses the data of an event. Default: JSON; other data is passed as text, and empty data as `undefined`. */
  parse?: ((data: string, event: string) => unknown) | undefined
}

/** Checked options. */
export interface Settings {
  readonly url: UrlFunction
  readonly headers: (attempt: Attempt) => unknown
  /** Whether another attempt may have other credentials. */
  readonly isFresh: boolean
  /** The EventSource class if that is the transport; otherwise `fetch` is used. */
  readonly Source: EventSourceClass | undefined
  readonly isGet: boolean
  readonly body: string | null
  readonly credentials: 'include' | 'same-origin'
}

// Types in error messages.
const STRING = 'a string'
const FUNCTION = 'a function'
const STRINGS = 'an object of strings'
const TYPES: Readonly<Record<string, string | undefined>> = {
  since: STRING,
  load: FUNCTION,
  transport: STRING,
  headers: `${STRINGS} or ${FUNCTION}`,
  method: STRING,
  body: STRING,
  withCredentials: 'a boolean',
  events: 'an object: a list of strings',
  share: STRINGS,
  onState: FUNCTION,
  onError: FUNCTION,
  parse: FUNCTION,
}

/** @throws {TypeError} naming the option, never its value: it could be a secret */
export function checkOptions(url: unknown, options: ConnectOptions, env: Environment): Settings {
  for (const [name, value] of Object.entries(options)) {
    const type = TYPES[name] ?? 'left out: unknown'
    must(value === undefined || type.includes(typeof value), name, type)
  }
  const { headers, body = null, events = [], withCredentials = false, share } = options
  // The caller may not use TypeScript.
  const method: string = options.method ?? (body === null ? 'GET' : 'POST')
  const isGet = method === 'GET'
  const Source = isGet && !headers ? env.EventSource : undefined
  const transport: string = options.transport ?? (Source ? 'eventsource' : 'fetch')
  const isFetch = transport === 'fetch'
  if (!isFunction(url)) absolute(url, env)
  if (!isFunction(headers)) checkHeaders(headers)
  must(isStrings(events) && Array.isArray(events), 'events', 'a list of strings')
  must(isGet ? body === null : method === 'POST', 'method', 'GET without a body, or POST')
  must(
    share === undefined || (isGet && isStrings(share) && share.name && share.identity),
    'share',
    `${STRINGS}: name and identity, with GET`,
  )
  must(isFetch || (Source && transport === 'eventsource'), 'transport', 'fetch, or eventsource with GET and no headers')
  return {
    url: isFunction(url) ? url : () => String(url),
    headers: isFunction(headers) ? headers : () => headers,
    isFresh: isFunction(url) || isFunction(headers),
    Source: isFetch ? undefined : Source,
    isGet,
    body,
    credentials: withCredentials ? 'include' : 'same-origin',
  }
}

/** @throws {TypeError} for an invalid URL */
export function absolute(url: unknown, { base }: Environment): URL {
  try {
    if (typeof url === 'string' || url instanceof URL) return new URL(url, base)
  } catch {
    // The original error would show the URL, and a ticket in it.
  }
  throw wrong('url', 'a URL, absolute in Node')
}

/**
 * @returns the headers by their names in lower case
 * @throws {TypeError} for invalid headers, or a character that cannot be sent
 */
export function checkHeaders(headers: unknown = {}): Record<string, string> {
  try {
    if (isStrings(headers)) return Object.fromEntries(new Headers(headers))
  } catch {
    // The original error would show the value, and a token in it.
  }
  throw wrong('headers', `${STRINGS} that can be sent`)
}

// Whether a value from the caller is a function.
const isFunction = (value: unknown): value is (attempt: Attempt) => never => typeof value === 'function'
const isStrings = (value: unknown): value is Readonly<Record<string, string>> =>
  Object(value) === value && Object.values(value as object).every(one => typeof one === 'string')

function must(is: unknown, name: string, expected: string): void {
  if (!is) throw wrong(name, expected)
}

function wrong(name: string, expected: string): TypeError {
  return new TypeError(`\`${name}\` must be ${expected}`)
}
