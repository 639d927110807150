import { ok, problem, type Finding } from '../finding.ts'
import { openProbe, type Probe } from '../probe.ts'
import { isOpen, type Subject } from '../subject.ts'
import { unopened } from './unopened.ts'

/** Whether a cross-site page may open the stream with these credentials. */
export async function checkCors(subject: Subject): Promise<Finding[]> {
  const { origin, login, url, patience } = subject
  if (origin === undefined) return []
  const names = login.ticketUrl === undefined ? login.headers.map(([name]) => name) : []
  const hasCookie = names.includes('cookie')
  // EventSource sends no preflight; `fetch` does, for each of these headers.
  const asked = [...names.filter(name => name !== 'cookie' && name !== 'origin'), 'last-event-id']
  const findings: Finding[] = []

  const stream = await subject.open({ headers: { origin } })
  if (isOpen(stream)) {
    stream.close()
    findings.push(...judge(stream.headers, origin, hasCookie, `the stream (status ${stream.status})`))
  } else if (typeof stream !== 'string' && stream.status === 403) {
    // It has opened without `Origin`. CORS headers change nothing: they may be right.
    findings.push(problem('cors', 'the stream refuses the origin with status 403', ADMIT))
  } else {
    return [unopened('cors', stream, 'a request with `Origin`')]
  }

  const preflight = await openProbe(url, {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'GET',
      'access-control-request-headers': asked.join(','),
    },
    patience,
  })
  if (typeof preflight === 'string') return [...findings, unopened('cors', preflight, 'the preflight')]
  preflight.close()
  findings.push(...judgePreflight(preflight, origin, hasCookie, asked))
  return findings.length > 0 ? findings : [ok('cors', `pages of ${origin} may open it`)]
}

function judgePreflight(
  { status, headers }: Probe,
  origin: string,
  hasCookie: boolean,
  asked: readonly string[],
): Finding[] {
  const what = `the preflight (status ${status})`
  if (status < 200 || status > 299) return [problem('cors', `${what} is refused`, MOUNT)]
  const refused = judge(headers, origin, hasCookie, what)
  if (refused.length > 0) return refused
  const allowed = (headers['access-control-allow-headers'] ?? '').toLowerCase().split(/\s*,\s*/)
  // `*` does not cover Authorization, and covers nothing if cookies are sent (Fetch standard).
  const isAllowed = (name: string): boolean =>
    allowed.includes(name) || (allowed.includes('*') && !hasCookie && name !== 'authorization')
  const missing = asked.filter(name => !isAllowed(name)).join(', ')
  if (missing === '') return []
  const cure = `add ${missing} to \`allowHeaders\`; an EventSource with a ticket needs no preflight`
  return [problem('cors', `${what} does not allow ${missing}`, cure)]
}

const ADMIT = 'add the origin to `origins` of the route'
const MOUNT =
  'mount CORS middleware, such as @koa/cors with this origin, before the stream, and let the proxy forward OPTIONS'

function judge(
  headers: Readonly<Record<string, unknown>>,
  origin: string,
  hasCookie: boolean,
  what: string,
): Finding[] {
  const allowed = headers['access-control-allow-origin']
  if (allowed !== origin && (allowed !== '*' || hasCookie)) {
    return [problem('cors', `${what} does not allow the origin`, MOUNT)]
  }
  if (hasCookie && headers['access-control-allow-credentials'] !== 'true') {
    return [
      problem(
        'cors',
        `${what} does not allow cookies`,
        'set `credentials: true`, and add the origin to `origins` of the route',
      ),
    ]
  }
  return []
}
