import { EventStreamError } from '../../errors.ts'
import type { Clock } from '../../clock.ts'
import { isMissing, type Moment, type Remembered } from './acknowledged.ts'
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
  /** The last event of each topic that was acknowledged here. */
  readonly acknowledged: ReadonlyMap<string, Remembered>
  readonly clock: Pick<Clock, 'monotonic'>
}

// Pages in flight: while one is put in order the next is on its way.
const LANES = 2

/**
 * Asks the log for what mirrors miss, page by page. What has been fetched stays with them if it is interrupted: the next
 * attempt goes on from there.
 */
export async function catchUp(engine: LogEngine, mirrors: readonly Mirror[], known: Known): Promise<CatchUp> {
  const byTopic = new Map(mirrors.map(mirror => [mirror.topic, mirror]))
  const epochs = new Set<string>()
  const wishes = wishesOf(byTopic, known.acknowledged)
  let outcome: CatchUp['outcome'] = 'complete'
  let state: LogState | undefined

  async function ask(): Promise<void> {
    const batch = wishes.splice(0, Math.min(PAGE_TOPICS, Math.ceil(wishes.length / LANES)))
    // What has been kept aside by now will be in the answer.
    for (const { topic } of batch) {
      for (const epoch of byTopic.get(topic)?.forgetArrived() ?? []) epochs.add(epoch)
    }
    const page = await engine.read(batch, { bytes: PAGE_BYTES })
    if (outcome !== 'complete') return
    outcome = outcomeOf(page, state, byTopic, known)
    if (state === undefined || outcome !== 'complete' || page.state.seq < state.seq) state = page.state
    if (outcome === 'complete') for (const topic of page.topics) take(topic, page.state)
  }

  function take(page: TopicPage, state: LogState): void {
    const mirror = byTopic.get(page.topic)
    mirror?.fetch(page, state)
    if (mirror !== undefined && page.more) wishes.unshift(mirror.wish)
  }

  async function goOn(): Promise<void> {
    do await ask()
    while (wishes.length > 0 && outcome === 'complete')
  }

  await Promise.all(Array.from({ length: wishes.length > 1 ? LANES : 1 }, goOn))
  if (state === undefined) throw new EventStreamError('ERR_BROKER', 'the log did not say where it stands')
  return { outcome, state, epochs }
}

function outcomeOf(
  page: LogPage,
  before: LogState | undefined,
  mirrors: ReadonlyMap<string, Mirror>,
  known: Known,
): CatchUp['outcome'] {
  const { epoch } = page.state
  if (before !== undefined && epoch !== before.epoch) return 'renewed'
  if (known.epoch !== '' && epoch !== known.epoch) return 'renewed'
  return isBehind(page, mirrors, known) ? 'behind' : 'complete'
}

function isBehind({ state, topics }: LogPage, mirrors: ReadonlyMap<string, Mirror>, known: Known): boolean {
  if (state.seq < known.seq) return true
  const said = { log: state.now, here: known.clock.monotonic() }
  return topics.some(page => {
    const { topic } = page
    const own = [mirrors.get(topic)?.remembered, known.acknowledged.get(topic)]
    return own.some(event => event !== undefined && hasLost(page, event, said))
  })
}

/**
 * Whether the log does not know of an event any more: it ends before it, or goes on from before it, since somebody has
 * published after the loss. A page on which there was no room for what comes next does not say; the next one does.
 *
 * @param said when the log answered with the page
 */
export function hasLost({ last, next, events, more }: TopicPage, event: Remembered, said: Moment): boolean {
  if (next !== undefined) return isMissing(event, next.previous, momentOf(next, said))
  const behind = events.find(({ seq }) => seq > event.seq)
  if (behind !== undefined) return isMissing(event, behind.previous, momentOf(behind, said))
  return !more && isMissing(event, last, said)
}

// What stands before an event was said when it was published.
function momentOf({ at }: { readonly at: number }, { log, here }: Moment): Moment {
  return { log: at, here: here - (log - at) }
}

function wishesOf(mirrors: ReadonlyMap<string, Mirror>, acknowledged: ReadonlyMap<string, Remembered>): Wish[] {
  const wishes = new Map<string, Wish>()
  for (const [topic, { wish }] of mirrors) wishes.set(topic, wish)
  for (const [topic, { seq: after }] of acknowledged) {
    if (mirrors.get(topic)?.last === undefined) wishes.set(topic, { topic, after, count: 0 })
  }
  return [...wishes.values()]
}
