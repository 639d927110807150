import { ok, problem, unknown, type Finding } from '../finding.ts'
import type { Unopened } from '../failure.ts'
import type { Block } from '../probe.ts'
import { isOpen, type Extra, type Subject } from '../subject.ts'
import { unopened } from './unopened.ts'

// An id that no log issues: a server that receives it responds with a gap.
const STRANGE = 'doctor'
// Behind a load balancer each attempt may reach another instance.
const ATTEMPTS = 4

const isNotice = ({ event }: Block): boolean => event === 'cursor' || event === 'gap' || event === 'goaway'

/** Whether the id that a browser sends back arrives, in the header or at least in the query. */
export async function checkLastEventId(subject: Subject): Promise<Finding[]> {
  const byHeader = await bringsGap(subject, { headers: { 'last-event-id': STRANGE } })
  if (byHeader === true) return [ok('last-event-id', 'the header arrives')]
  if (byHeader !== false) return [unopened('last-event-id', byHeader, 'a request with `Last-Event-ID`')]
  const byQuery = await bringsGap(subject, { query: { lastEventId: STRANGE } })
  if (byQuery === true) {
    const seen =
      '`Last-Event-ID` does not arrive, though `?lastEventId=` does: clients that reconnect miss events without noticing'
    return [problem('last-event-id', seen, 'let proxies and gateways forward the header: allow lists often lack it')]
  }
  if (byQuery !== false) return [unopened('last-event-id', byQuery, 'a request with `?lastEventId=`')]
  return [unknown('last-event-id', 'the stream has no topics of a hub, so its effect cannot be observed')]
}

/** Whether a stream that is cut resumes at its position. */
export async function checkResume(subject: Subject): Promise<Finding[]> {
  const first = await subject.open()
  if (!isOpen(first)) return [unopened('resume', first)]
  const cursor = await first.next(({ event, id }) => event === 'cursor' && id !== undefined && id !== '')
  // Cut abruptly, as by a network failure.
  first.close()
  if (cursor?.id === undefined) return [unknown('resume', 'the stream has no cursor: it has no topics of a hub')]
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const again = await subject.open({ headers: { 'last-event-id': cursor.id } })
    if (typeof again === 'string') return [problem('resume', 'after a cut, the reconnect gets no response', AWAY)]
    if (!isOpen(again)) return [unopened('resume', again, 'after a cut, the reconnect')]
    const notice = await again.next(isNotice)
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

/** Whether the first notice is a gap, if there is a stream. */
async function bringsGap(subject: Subject, more: Extra): Promise<boolean | Unopened> {
  const opened = await subject.open(more)
  if (!isOpen(opened)) return opened
  const notice = await opened.next(isNotice)
  opened.close()
  return notice?.event === 'gap'
}
