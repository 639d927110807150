import type { Receiver } from './attempt.ts'
import type { Environment, FetchInit } from './environment.ts'
import { openByEventSource } from './eventsource-attempt.ts'
import { openByFetch } from './fetch-attempt.ts'
import { absolute, checkHeaders, type Attempt, type Headers, type Settings } from './options.ts'

/** What one attempt asks for. */
export interface Request {
  readonly url: URL
  readonly headers: Headers
  readonly signal: AbortSignal
  /** The id to resume behind; empty where there is none. */
  readonly lastId: string
  readonly isPoll: boolean
  /** Whether `fetch` is to be used, whatever the transport is. */
  readonly isByFetch: boolean
}

/** What the application gives for one. */
export type Prepared = Pick<Request, 'url' | 'headers'>

/**
 * Asks the application what to ask for: nothing where there is nothing to come back for.
 *
 * @throws what its functions throw, or a {TypeError} for what they answer
 */
export async function prepare(env: Environment, settings: Settings, about: Attempt): Promise<Prepared | undefined> {
  const url = await settings.url(about)
  return url === null
    ? undefined
    : { url: absolute(url, env), headers: checkHeaders(await settings.headers(about)) }
}

/** @returns a function that has an EventSource listen for events of another name; nothing where all names are shown */
export function open(
  env: Environment,
  { transport, isGet, body, withCredentials }: Settings,
  { url, headers, signal, lastId, isPoll, isByFetch }: Request,
  to: Receiver,
): ((name: string) => void) | undefined {
  const sent: Record<string, string> = { Accept: 'text/event-stream', ...headers }
  let words = 'heartbeat=event'
  if (isPoll) words += '&stream=poll'
  if (lastId !== '') {
    if (transport === 'fetch') sent['Last-Event-ID'] = lastId
    else {
      // In the URL it needs no leave of CORS.
      if (url.searchParams.has('lastEventId')) url.searchParams.delete('lastEventId')
      words += `&lastEventId=${encodeURIComponent(lastId)}`
    }
  }
  // What the URL holds stays as the application wrote it: it may be signed.
  url.search += (url.search === '' ? '' : '&') + words
  url.hash = ''
  const init: FetchInit = {
    method: isGet ? 'GET' : 'POST',
    headers: sent,
    body: body ?? null,
    cache: 'no-store',
    credentials: withCredentials ? 'include' : 'same-origin',
    signal,
  }
  if (transport === 'fetch' || isByFetch || env.EventSource === undefined) {
    void openByFetch(env, url.href, init, to)
    return undefined
  }
  return openByEventSource(env, env.EventSource, url.href, init, to)
}
