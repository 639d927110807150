import type { NoStream, Unopened } from '../failure.ts'
import { problem, type Check, type Finding } from '../finding.ts'

const STATUS_CURES: Readonly<Record<number, string>> = {
  200: 'something else answers this URL: a login page, or the index of a single-page application',
  401: 'pass credentials: --header, --cookie or --ticket-url',
  403: 'these credentials may not open this stream, or the `Origin` or TLS is not what the route requires: see `origins`, `requireSecure` and the hub’s `refuse` event',
  404: 'the URL, or the proxy’s route to it, is wrong',
  406: 'a proxy changes the `Accept` header',
  429: 'too many streams, or requests: see `limits`, and the rate limit of the proxy',
  502: 'the proxy cannot reach the application',
  503: 'the application drains, is overloaded, or has lost its broker: see `hub.ready`',
  504: 'the application did not respond in time, or the proxy waits for the whole response: turn off its buffering',
}

/** What a response says about itself. */
export function describe(status: number, type = 'no content type'): string {
  return `status ${status}, ${type}`
}

/** What to do about a response that is no stream. */
export function cureOf({ status }: NoStream): string {
  return STATUS_CURES[status] ?? 'a stream has status 200; redirects are not followed'
}

const SEE_LOGS =
  'see the logs of the proxy and of the application at this time: some requests fail, or this one in particular'

/** The finding of a check that lacks its stream, though one has opened before. */
export function unopened(check: Check, reason: Unopened, request = 'a later request'): Finding {
  if (typeof reason === 'string') return problem(check, `${request} got no response`, SEE_LOGS)
  return problem(check, `${request} got ${describe(reason.status, reason.type)}`, cureOf(reason))
}
