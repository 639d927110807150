/**
 * The browser's and Node's half. It imports nothing at run time but its own files, and is packed into one.
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
 * Opens a stream that lasts until `close()`: it reconnects and resumes by itself, notices a connection that died without a
 * word, and loads the application's state where events are missing. Events come in order, each once.
 *
 * @param url relative to the page, or absolute; or a function that is asked for one before each attempt, such as for a URL
 *   with a new ticket: `null` ends it
 * @throws {TypeError} that names the option which is wrong
 */
export function connect<Events extends object = EventMap>(
  url: string | URL | UrlFunction,
  options: ConnectOptions = {},
): Live<Events> {
  return createLive<Events>(system, checkOptions(url, options, system), options)
}
