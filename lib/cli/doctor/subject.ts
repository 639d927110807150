import { logIn, type Login } from '../login.ts'
import { openProbe, type Failure, type Probe } from './probe.ts'

/** How to examine. */
export interface Manner {
  /** How long an answer, and its first event, may take, in milliseconds. */
  readonly patience: number
  /** The origin of a page of another site, if there is one. */
  readonly origin: string | undefined
  /** How long to watch an idle stream, in milliseconds; by default for two of its heartbeats. */
  readonly wait: number | undefined
}

/** A stream under examination. */
export interface Subject extends Manner {
  readonly url: URL
  readonly login: Login
  /** Opens it once more, with credentials of its own. */
  open(more?: Extra): Promise<Probe | Failure>
}

export interface Extra {
  readonly headers?: Record<string, string>
  readonly query?: Record<string, string>
}

/** What the library's own client asks for: heartbeats that can be told from bytes that were held back. */
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
