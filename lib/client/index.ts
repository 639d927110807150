/**
 * The client for browsers and Node. It imports only its own files at run time, and is bundled into one.
 *
 * @module koa-event-stream/client
 */
import type { EventMap } from '../wire/event.ts'
import { system } from './environment.ts'
import type { Live } from './live.ts'
import { createLive } from './live-target.ts'
import { checkOptions, type ConnectOptions, type UrlFunction } from './options.ts'

export type { Arrival, Gap, GapReason } from '../wire/notices.ts'
export type { Live } from './live.ts'
export type { About, OwnEvents, Received } from './received.ts'
export type { Attempt, ConnectOptions, Headers, Loaded, LoadReason, UrlFunction } from './options.ts'
export type { Reason, State } from './reasons.ts'

/**
 * Opens a stream that lasts until `close()`: it reconnects and resumes by itself, detects dead connections, and loads
 * the application's state after a gap. Events are delivered in order, each once.
 *
 * @param url relative to the page, or absolute; or a function called before each attempt, such as for a URL with a new
 *   ticket: `null` ends the stream
 * @throws {TypeError} naming the invalid option
 */
export function connect<Events extends object = EventMap>(
  url: string | URL | UrlFunction,
  options: ConnectOptions = {},
): Live<Events> {
  return createLive<Events>(system, checkOptions(url, options, system), options)
}
