import type { GapReason } from '../wire/notices.ts'
import type { Environment, EventSourceClass } from './environment.ts'
import type { Reason, State } from './reasons.ts'

/** An attempt to open the stream, as the functions that prepare it are told of it. */
export interface Attempt {
  /** 1 for the first one. */
  readonly attempt: number
  /** What it is made for. */
  readonly reason: Reason
  /** Aborted when nobody waits for the answer any more: after 30 s, or once the stream has been closed. */
  readonly signal: AbortSignal
}

/** Answers the URL to ask for, or `null` where there is nothing to come back for. */
export type UrlFunction = (attempt: Attempt) => string | URL | null | Promise<string | URL | null>

/** Why the application's state is to be loaded: at the start, or since events are missing. */
export type LoadReason =
  { readonly reason: 'start' } | { readonly reason: GapReason; readonly topics: readonly string[] }

/** What a state includes: all events up to `cursor`, the answer of `hub.cursor()` before it was read. */
export interface Loaded {
  readonly cursor?: string | undefined
}

/** Headers of a request, by their names. */
export type Headers = Readonly<Record<string, string>> | globalThis.Headers

/** Options of `connect()`. */
export interface ConnectOptions {
  /** `hub.cursor()` when the page was rendered: what came after it is read first, and `load` is called for gaps only. */
  since?: string | undefined
  /**
   * Loads the application's state: at the start, unless `since` is given, and after a gap. It is joined with the stream:
   * events that come meanwhile are told after it, but for those that are not after the `cursor` that it answers. A gap in
   * the middle aborts `signal` and has it run again, for all topics that are missing by then. If it fails, or takes more
   * than 30 s, it is called again after a while.
   */
  load?: ((why: LoadReason, signal: AbortSignal) => Loaded | void | Promise<Loaded | void>) | undefined
  /**
   * `eventsource`: the browser's own, with its cookies or a ticket in the URL. `fetch`: with headers and a body.
   * Default: `fetch` if `headers`, `method` or `body` is given, or if there is no EventSource; else `eventsource`.
   */
  transport?: 'eventsource' | 'fetch' | undefined
  /** Headers, or a function that is asked for them before each attempt. Only of `fetch`. */
  headers?: Headers | ((attempt: Attempt) => Headers | Promise<Headers>) | undefined
  /** Only of `fetch`. Default `GET`, or `POST` where there is a body. */
  method?: 'GET' | 'POST' | undefined
  /** Only of `fetch`, with `POST`. */
  body?: string | undefined
  /** Whether cookies go to other origins, too. Default `false`. */
  withCredentials?: boolean | undefined
  /**
   * Names of events, besides those that are listened to: an EventSource shows no others, to `for await` for instance.
   * `fetch` shows all.
   */
  events?: readonly string[] | undefined
  /**
   * One connection for all tabs and windows of an origin in which both words are the same: browsers open six per host over
   * HTTP/1.1. `name` is the stream's: tabs give the same URL and the same options with it. `identity` says whose it is, by
   * the id of the login, or of the user: tabs of somebody else never hear of it. A visible tab leads; the next one takes
   * over where it closes, leaves, freezes or is hidden. `url` and `headers` are asked in the one that leads, and `load` in
   * each. For streams of a hub, and with `GET` only; a page without Web Locks, such as one over `http:`, does not share.
   */
  share?: { readonly name: string; readonly identity: string } | undefined
  /** Is told whenever the state, or the reason for it, has changed. */
  onState?: ((state: State, reason: Reason) => unknown) | undefined
  /** Is told what the application's own functions fail with. Default: the console, as of any uncaught error. */
  onError?: ((error: unknown) => unknown) | undefined
  /** Reads the data of an event. Default: JSON; what is none is handed on as it is, and data that is empty as `undefined`. */
  parse?: ((data: string, event: string) => unknown) | undefined
}

/** Checked options. */
export interface Settings {
  readonly url: UrlFunction
  readonly headers: (attempt: Attempt) => unknown
  /** Whether another attempt may have other credentials. */
  readonly isFresh: boolean
  /** The class of EventSource, where the transport is that; else it is `fetch`. */
  readonly Source: EventSourceClass | undefined
  readonly isGet: boolean
  readonly body: string | null
  readonly credentials: 'include' | 'same-origin'
}

// The words of the messages: each says the type that is checked.
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

/** @throws {TypeError} that names the option. No message shows what was given: it could be a secret */
export function checkOptions(url: unknown, options: ConnectOptions, env: Environment): Settings {
  for (const [name, value] of Object.entries(options)) {
    const type = TYPES[name] ?? 'left out: unknown'
    must(value === undefined || type.includes(typeof value), name, type)
  }
  const { headers, body = null, events = [], withCredentials = false, share } = options
  // What a caller gives may be another word than the types allow.
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

/** @throws {TypeError} for what is no URL here */
export function absolute(url: unknown, { base }: Environment): URL {
  try {
    if (typeof url === 'string' || url instanceof URL) return new URL(url, base)
  } catch {
    // The error would show the URL, and a ticket in it.
  }
  throw wrong('url', 'a URL, absolute in Node')
}

/**
 * @returns the headers by their names in small letters
 * @throws {TypeError} for what are no headers, or hold a character that cannot be sent
 */
export function checkHeaders(headers: unknown = {}): Record<string, string> {
  try {
    if (isStrings(headers)) return Object.fromEntries(new Headers(headers))
  } catch {
    // The error would show the value, and a token in it.
  }
  throw wrong('headers', `${STRINGS} that can be sent`)
}

// What a caller gives that the compiler has not looked at.
const isFunction = (value: unknown): value is (attempt: Attempt) => never => typeof value === 'function'
const isStrings = (value: unknown): value is Readonly<Record<string, string>> =>
  Object(value) === value && Object.values(value as object).every(one => typeof one === 'string')

function must(is: unknown, name: string, expected: string): void {
  if (!is) throw wrong(name, expected)
}

function wrong(name: string, expected: string): TypeError {
  return new TypeError(`\`${name}\` must be ${expected}`)
}
