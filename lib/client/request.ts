import type { Receiver } from './attempt.ts'
import type { Environment, FetchInit } from './environment.ts'
import { openByEventSource } from './eventsource-attempt.ts'
import { openByFetch } from './fetch-attempt.ts'
import { absolute, checkHeaders, type Attempt, type Settings } from './options.ts'

/** The application's URL and headers for an attempt. */
export type Prepared = readonly [url: URL, headers: Readonly<Record<string, string>>]

/**
 * Asks the application for the URL and headers: nothing if it ends the stream.
 *
 * @throws what its functions throw, or a {TypeError} for invalid results
 */
export async function prepare(env: Environment, settings: Settings, about: Attempt): Promise<Prepared | undefined> {
  const url = await settings.url(about)
  return url === null ? undefined : [absolute(url, env), checkHeaders(await settings.headers(about))]
}

/**
 * Makes an attempt, until the signal is aborted.
 *
 * @param lastId the id to resume after; empty if there is none
 * @param isByFetch whether to use `fetch`, whatever the transport is
 * @returns a function that adds an event name to the EventSource; nothing if the transport delivers all names
 */
export function open(
  env: Environment,
  { Source, isGet, body, credentials }: Settings,
  [url, headers]: Prepared,
  lastId: string,
  isPoll: boolean,
  isByFetch: boolean,
  signal: AbortSignal,
  to: Receiver,
): ((name: string) => void) | undefined {
  const sent: Record<string, string> = { accept: 'text/event-stream', ...headers }
  let words = 'heartbeat=event'
  if (isPoll) words += '&stream=poll'
  if (lastId) {
    if (Source) {
      // In the URL it needs no CORS preflight.
      if (url.searchParams.has('lastEventId')) url.searchParams.delete('lastEventId')
      words += `&lastEventId=${encodeURIComponent(lastId)}`
    } else sent['last-event-id'] = lastId
  }
  // The rest of the URL stays unchanged: it may be signed.
  url.search += (url.search && '&') + words
  const init: FetchInit = {
    method: isGet ? 'GET' : 'POST',
    headers: sent,
    body,
    cache: 'no-store',
    credentials,
    signal,
  }
  if (Source && !isByFetch) return openByEventSource(env, Source, url.href, init, to)
  void openByFetch(env, url.href, init, to)
  return undefined
}
