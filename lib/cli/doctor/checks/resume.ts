import { ok, problem, unknown, type Finding } from '../finding.ts'
import type { Block, Probe } from '../probe.ts'
import type { Subject } from '../subject.ts'

// No log gives out such an id: who gets it says so, with a gap.
const STRANGE = 'doctor'
// Behind a balancer each attempt may meet another instance.
const ATTEMPTS = 4

const isNotice = ({ event }: Block): boolean => event === 'cursor' || event === 'gap' || event === 'goaway'

/** Whether the id that a browser sends back gets through, in the header or at least in the query. */
export async function checkLastEventId(subject: Subject): Promise<Finding[]> {
  const byHeader = await noticeOf(subject, { headers: { 'last-event-id': STRANGE } })
  if (byHeader === 'gap') return [ok('last-event-id', 'the header arrives')]
  const byQuery = await noticeOf(subject, { query: { lastEventId: STRANGE } })
  if (byQuery === 'gap') {
    const seen =
      '`Last-Event-ID` does not arrive, though `?lastEventId=` does: clients that reconnect miss events and are not told'
    return [
      problem(
        'last-event-id',
        seen,
        'have what lies between pass the header on: lists of allowed headers often lack it',
      ),
    ]
  }
  return [unknown('last-event-id', 'the stream has no topics of a hub, so nothing tells whether it was read')]
}

/** Whether a stream that is cut goes on where it was. */
export async function checkResume(subject: Subject): Promise<Finding[]> {
  const first = await subject.open()
  if (typeof first === 'string') return [unknown('resume', 'not answered a second time')]
  const cursor = await first.next(({ event, id }) => event === 'cursor' && id !== undefined && id !== '')
  // Cut, as a network does it.
  first.close()
  if (cursor?.id === undefined)
    return [unknown('resume', 'the stream says nothing of where it stands: it has no topics of a hub')]
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const again = await subject.open({ headers: { 'last-event-id': cursor.id } })
    if (typeof again === 'string')
      return [problem('resume', 'a stream that was cut is not answered when it comes back', AWAY)]
    const notice = await noticeAt(again)
    again.close()
    if (notice?.event === 'gap') {
      const seen = 'a stream that was cut just now is told of a gap when it comes back: events would be lost'
      return [problem('resume', seen, SHARE)]
    }
    if (notice?.event !== 'cursor') {
      return [
        problem('resume', 'a stream that was cut does not get as far as the live events when it comes back', AWAY),
      ]
    }
  }
  return [ok('resume', `cut and resumed ${ATTEMPTS} times without a gap`)]
}

const AWAY = 'look at the limits of streams of an identity and an address, and at the hub’s `refuse` events'
const SHARE =
  'instances that share no log know nothing of each other’s ids: give all of them the same `redisBroker`; with one instance, see how long its history is'

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
