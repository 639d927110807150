import { logIn, type Login } from '../login.ts'
import type { Failure } from './failure.ts'
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
  open(more?: Extra): Promise<Probe | Failure>
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
      return openProbe(credentials.url, { headers: { ...credentials.headers, ...headers }, patience })
    },
  }
}
