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

/** How a catch-up ended. */
export interface CatchUp {
  /**
   * - `complete`: the mirrors have all that the log had when it was asked
   * - `renewed`: the log is in another life, of which the mirrors know nothing yet
   * - `behind`: the log has lost what it acknowledged or handed on: a fail-over to a replica that had not got it, most likely
   */
  readonly outcome: 'complete' | 'renewed' | 'behind'
  /** Where the log stood when it was first asked: what all mirrors agree on is no newer. */
  readonly state: LogState
  /** Epochs of what had come before the log was asked, and is in its answer. */
  readonly epochs: ReadonlySet<string>
}

/** What is known of the log from before. */
export interface Known {
  /** Empty before the first look. */
  readonly epoch: string
  /** What was handed on, or seen, is no newer than this. */
  readonly seq: number
  /** What was acknowledged here, and the log must know of as long as it is in the life of which that is. */
  readonly acknowledged: readonly AcknowledgedEvent[]
  readonly clock: Pick<Clock, 'monotonic'>
}

// Pages in flight: while one is put in order the next is on its way.
const LANES = 2

/** A wish, for whom it is, and what is known to stand where it begins or after that. */
interface Question {
  readonly wish: Wish
  readonly mirror?: Mirror
  readonly remembered: readonly AcknowledgedEvent[]
}

/**
 * Asks the log for what mirrors miss, page by page. What has been fetched stays with them if it is interrupted: the next
 * attempt goes on from there.
 */
export async function catchUp(
  engine: Pick<LogEngine, 'read'>,
  mirrors: readonly Mirror[],
  known: Known,
): Promise<CatchUp> {
  const epochs = new Set<string>()
  const questions = questionsOf(mirrors, known.acknowledged)
  let outcome: CatchUp['outcome'] = 'complete'
  let state: LogState | undefined

  async function ask(): Promise<void> {
    const batch = nextBatch(questions)
    // What has been kept aside by now will be in the answer.
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
  if (state === undefined) throw new EventStreamError('ERR_BROKER', 'the log did not say where it stands')
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
 * Whether the log does not know of an event any more: it ends before it, or goes on from before it, since somebody has
 * published after the loss. A page on which there was no room for what comes next does not say; the next one does.
 *
 * @param said when the log answered with the page
 */
function hasLost({ last, next, events, more }: TopicPage, event: Remembered, said: Moment): boolean {
  if (next !== undefined) return isMissing(event, next.previous, momentOf(next, said))
  const behind = events.find(({ seq }) => seq > event.seq)
  if (behind !== undefined) return isMissing(event, behind.previous, momentOf(behind, said))
  return !more && isMissing(event, last, said)
}

// What stands before an event was said when it was published.
function momentOf({ at }: { readonly at: number }, { log, here }: Moment): Moment {
  return { log: at, here: here - (log - at) }
}

// What is asked for a mirror answers for an event that was acknowledged, too, if that comes behind the place where the mirror
// goes on. Of one before that the mirror may never have heard. Of a topic several may be asked for, one at a time.
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

/** Takes the next ones out that can be asked in one step: no two are of one topic. */
function nextBatch(questions: Question[]): Question[] {
  const most = Math.min(PAGE_TOPICS, Math.ceil(questions.length / LANES))
  const topics = new Set<string>()
  while (topics.size < most) {
    const topic = questions[topics.size]?.wish.topic
    if (topic === undefined || topics.has(topic)) break
    topics.add(topic)
  }
  return questions.splice(0, topics.size)
}
