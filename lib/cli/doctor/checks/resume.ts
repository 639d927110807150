import { ok, problem, unknown, type Finding } from '../finding.ts'
import type { Block, Probe } from '../probe.ts'
import type { Subject } from '../subject.ts'

// An id that no log issues: a server that receives it responds with a gap.
const STRANGE = 'doctor'
// Behind a load balancer each attempt may reach another instance.
const ATTEMPTS = 4

const isNotice = ({ event }: Block): boolean => event === 'cursor' || event === 'gap' || event === 'goaway'

/** Whether the id that a browser sends back arrives, in the header or at least in the query. */
export async function checkLastEventId(subject: Subject): Promise<Finding[]> {
  const byHeader = await noticeOf(subject, { headers: { 'last-event-id': STRANGE } })
  if (byHeader === 'gap') return [ok('last-event-id', 'the header arrives')]
  const byQuery = await noticeOf(subject, { query: { lastEventId: STRANGE } })
  if (byQuery === 'gap') {
    const seen =
      '`Last-Event-ID` does not arrive, though `?lastEventId=` does: clients that reconnect miss events without noticing'
    return [problem('last-event-id', seen, 'let proxies and gateways forward the header: allow lists often lack it')]
  }
  return [unknown('last-event-id', 'the stream has no topics of a hub, so its effect cannot be observed')]
}

/** Whether a stream that is cut resumes at its position. */
export async function checkResume(subject: Subject): Promise<Finding[]> {
  const first = await subject.open()
  if (typeof first === 'string') return [unknown('resume', 'a second request got no response')]
  const cursor = await first.next(({ event, id }) => event === 'cursor' && id !== undefined && id !== '')
  // Cut abruptly, as by a network failure.
  first.close()
  if (cursor?.id === undefined) return [unknown('resume', 'the stream has no cursor: it has no topics of a hub')]
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const again = await subject.open({ headers: { 'last-event-id': cursor.id } })
    if (typeof again === 'string') return [problem('resume', 'after a cut, the reconnect gets no response', AWAY)]
    const notice = await noticeAt(again)
    again.close()
    if (notice?.event === 'gap') {
      const seen = 'after a cut, the reconnect gets a gap: events would be lost'
      return [problem('resume', seen, SHARE)]
    }
    if (notice?.event !== 'cursor') {
      return [problem('resume', 'after a cut, the reconnect does not reach live events', AWAY)]
    }
  }
  return [ok('resume', `cut and resumed ${ATTEMPTS} times without a gap`)]
}

const AWAY = 'check the limits of streams per identity and per address, and the hub’s `refuse` events'
const SHARE =
  'instances without a shared log do not know each other’s ids: give all of them the same `redisBroker`; with one instance, check the length of its history'

async function noticeOf(subject: Subject, more: Parameters<Subject['open']>[0]): Promise<string | undefined> {
  const probe = await subject.open(more)
  if (typeof probe === 'string') return undefined
  const notice = await noticeAt(probe)
  probe.close()
  return notice?.event
}

function noticeAt(probe: Probe): Promise<Block | undefined> {
  return probe.next(isNotice)
}
