import { logIn, type Login } from '../login.ts'
import type { Failure, Unopened } from './failure.ts'
import { openProbe, type Probe } from './probe.ts'

/** The settings of an examination. */
export interface Manner {
  /** The timeout of a response, and of its first event, in milliseconds. */
  readonly patience: number
  /** The origin of a cross-site page, if any. */
  readonly origin: string | undefined
  /** How long to watch an idle stream, in milliseconds; by default two heartbeats. */
  readonly wait: number | undefined
}

/** The stream under examination. */
export interface Subject extends Manner {
  readonly url: URL
  readonly login: Login
  /** Opens it again, with new credentials. */
  open(more?: Extra): Promise<Probe | Unopened>
}

export interface Extra {
  readonly headers?: Record<string, string>
  readonly query?: Record<string, string>
}

/**
 * Requests visible heartbeats, as the library's own client does: they distinguish an idle stream from a buffered one.
 */
const VISIBLE = { heartbeat: 'event' }

export function subjectOf(url: URL, login: Login, { patience, origin, wait }: Manner): Subject {
  return {
    url,
    login,
    patience,
    origin,
    wait,
    async open({ headers = {}, query = {} } = {}) {
      const credentials = await logIn(url, login)
      for (const [name, value] of Object.entries({ ...VISIBLE, ...query }))
        credentials.url.searchParams.set(name, value)
      const sent = { ...credentials.headers, ...headers }
      return streamOf(await openProbe(credentials.url, { headers: sent, patience }))
    },
  }
}

/** Whether a stream has opened. */
export function isOpen(opened: Probe | Unopened): opened is Probe {
  return typeof opened !== 'string' && 'next' in opened
}

/** Any proxy may respond in place of the application, at any request: no check may take that for a stream. */
function streamOf(probe: Probe | Failure): Probe | Unopened {
  if (typeof probe === 'string') return probe
  const { status, headers } = probe
  const type = headers['content-type']
  if (status === 200 && type?.startsWith('text/event-stream')) return probe
  probe.close()
  return { status, type }
}
