import { EventStreamError } from '../../errors.ts'
import type { Clock } from '../../clock.ts'
import { isMissing, type AcknowledgedEvent, type Moment, type Remembered } from './acknowledged.ts'
import {
  PAGE_BYTES,
  PAGE_TOPICS,
  type LogEngine,
  type LogPage,
  type LogState,
  type TopicPage,
  type Wish,
} from './log-engine.ts'
import type { Mirror } from './mirror.ts'

/** The result of a catch-up. */
export interface CatchUp {
  /**
   * - `complete`: the mirrors have everything that the log had at its start
   * - `renewed`: the log has another epoch, unknown to the mirrors
   * - `behind`: the log has lost acknowledged or delivered events: most likely a failover to a lagging replica
   */
  readonly outcome: 'complete' | 'renewed' | 'behind'
  /** The state of the log at the start: the common end of all mirrors is no newer. */
  readonly state: LogState
  /** Epochs of events that arrived before a read and are included in it. */
  readonly epochs: ReadonlySet<string>
}

/** What was known of the log before. */
export interface Known {
  /** Empty before the first read. */
  readonly epoch: string
  /** The highest `seq` delivered or seen. */
  readonly seq: number
  /** The events acknowledged to this process, which the log must have in the epoch they belong to. */
  readonly acknowledged: readonly AcknowledgedEvent[]
  readonly clock: Pick<Clock, 'monotonic'>
}

// Concurrent reads: while one page is processed the next is on its way.
const LANES = 2

/** A wish, its mirror, and the event known at or after its start. */
interface Question {
  readonly wish: Wish
  readonly mirror?: Mirror
  readonly remembered: readonly AcknowledgedEvent[]
}

/**
 * Reads what the mirrors lack, page by page. If interrupted, the mirrors keep what was fetched, and the next attempt
 * continues there.
 */
export async function catchUp(
  engine: Pick<LogEngine, 'read'>,
  mirrors: readonly Mirror[],
  known: Known,
): Promise<CatchUp> {
  const epochs = new Set<string>()
  const questions = questionsOf(mirrors, known.acknowledged)
  const share = Math.min(PAGE_TOPICS, Math.ceil(questions.length / LANES))
  let outcome: CatchUp['outcome'] = 'complete'
  let state: LogState | undefined

  async function ask(): Promise<void> {
    const batch = nextBatch(questions, share)
    // Events held so far will be included in the read.
    for (const { mirror } of batch) for (const epoch of mirror?.forgetArrived() ?? []) epochs.add(epoch)
    const page = await engine.read(
      batch.map(({ wish }) => wish),
      { bytes: PAGE_BYTES },
    )
    if (outcome !== 'complete') return
    outcome = outcomeOf(page, state, batch, known)
    if (state === undefined || outcome !== 'complete' || page.state.seq < state.seq) state = page.state
    if (outcome === 'complete')
      for (const [index, topic] of page.topics.entries()) take(batch[index], topic, page.state)
  }

  function take(question: Question | undefined, page: TopicPage, state: LogState): void {
    if (question?.mirror === undefined) return
    const { mirror, remembered } = question
    mirror.fetch(page, state)
    if (page.more) questions.unshift({ wish: mirror.wish, mirror, remembered })
  }

  async function goOn(): Promise<void> {
    do await ask()
    while (questions.length > 0 && outcome === 'complete')
  }

  await Promise.all(Array.from({ length: questions.length > 1 ? LANES : 1 }, goOn))
  if (state === undefined) throw new EventStreamError('ERR_BROKER', 'the log returned no position')
  return { outcome, state, epochs }
}

function outcomeOf(
  page: LogPage,
  before: LogState | undefined,
  batch: readonly Question[],
  known: Known,
): CatchUp['outcome'] {
  const { epoch } = page.state
  if (before !== undefined && epoch !== before.epoch) return 'renewed'
  if (known.epoch !== '' && epoch !== known.epoch) return 'renewed'
  return isBehind(page, batch, known) ? 'behind' : 'complete'
}

function isBehind({ state, topics }: LogPage, batch: readonly Question[], known: Known): boolean {
  if (state.seq < known.seq) return true
  const said = { log: state.now, here: known.clock.monotonic() }
  return batch.some(({ mirror, remembered }, index) => {
    const page = topics[index]
    if (page === undefined) return false
    const own = remembered.filter(({ epoch }) => epoch === state.epoch)
    return (
      (mirror !== undefined && hasLost(page, mirror.remembered, said)) || own.some(event => hasLost(page, event, said))
    )
  })
}

/**
 * Whether the log has lost an event: its topic ends before it, or continues from before it, since others have published
 * after the loss. A page too small for the next event cannot tell; the next page will.
 *
 * @param said when the log returned the page
 */
function hasLost({ last, next, events, more }: TopicPage, event: Remembered, said: Moment): boolean {
  if (next !== undefined) return isMissing(event, next.previous, momentOf(next, said))
  const behind = events.find(({ seq }) => seq > event.seq)
  if (behind !== undefined) return isMissing(event, behind.previous, momentOf(behind, said))
  return !more && isMissing(event, last, said)
}

// An event's predecessor was determined when it was published.
function momentOf({ at }: { readonly at: number }, { log, here }: Moment): Moment {
  return { log: at, here: here - (log - at) }
}

// A mirror's read also verifies an acknowledged event after the mirror's end. An event before that may never have
// reached the mirror, so it needs a read of its own. A topic may need several, one at a time.
function questionsOf(mirrors: readonly Mirror[], acknowledged: readonly AcknowledgedEvent[]): Question[] {
  const wishes = new Map(mirrors.filter(({ last }) => last !== undefined).map(({ topic, wish }) => [topic, wish]))
  const remembered = new Map<string, AcknowledgedEvent[]>()
  const alone: Question[] = []
  for (const event of acknowledged) {
    const { topic, seq: after } = event
    const own = remembered.get(topic)
    if (after <= (wishes.get(topic)?.after ?? Infinity))
      alone.push({ wish: { topic, after, count: 0 }, remembered: [event] })
    else if (own === undefined) remembered.set(topic, [event])
    else own.push(event)
  }
  return [
    ...mirrors.map(mirror => ({ wish: mirror.wish, mirror, remembered: remembered.get(mirror.topic) ?? [] })),
    ...alone,
  ]
}

/** Takes up to `most` of the next questions for one read: each topic at most once. */
function nextBatch(questions: Question[], most: number): Question[] {
  const topics = new Set<string>()
  while (topics.size < most) {
    const topic = questions[topics.size]?.wish.topic
    if (topic === undefined || topics.has(topic)) break
    topics.add(topic)
  }
  return questions.splice(0, topics.size)
}
