import { EventStreamError } from '../../errors.ts'
import { hasLost, NOTHING, type Log, type LogState, type TopicState, type Wish } from '../redis/log.ts'
import type { LoggedEvent } from '../redis/message.ts'
import type { Mirror } from './mirror.ts'

// Topics a script call: Redis does nothing else while it works on one.
const TOPICS = 200

/** What the log answered of some mirrors' topics, and what was known to be acknowledged when it was asked. */
export interface Answer {
  readonly state: LogState
  readonly topics: ReadonlyMap<string, TopicState>
  readonly acknowledged: ReadonlyMap<string, number>
}

/** Asks what these mirrors miss, and whether the log still knows what it acknowledged. */
export async function ask(
  log: Log,
  batch: readonly Mirror[],
  acknowledged: ReadonlyMap<string, number>,
): Promise<Answer> {
  const wanted = new Map<string, Wish>()
  for (const { topic, last: after } of batch) wanted.set(topic, after === undefined ? NOTHING : { after })
  for (const [topic, after] of acknowledged) {
    if ((wanted.get(topic) ?? NOTHING) === NOTHING) wanted.set(topic, { after, count: 1 })
  }
  const entries = [...wanted]
  const topics = new Map<string, TopicState>()
  let state: LogState | undefined
  do {
    const piece = await log.read(new Map(entries.splice(0, TOPICS)))
    // What all pieces agree on is no newer than the first of them.
    state ??= piece.state
    if (piece.state.epoch !== state.epoch) throw new EventStreamError('ERR_BROKER', 'the log began anew meanwhile')
    for (const topic of piece.topics) topics.set(topic.topic, topic)
  } while (entries.length > 0)
  return { state, topics, acknowledged }
}

/** Whether all that came since the log was asked is of the life that it told of. */
export function isOfEpoch(batch: readonly Mirror[], epoch: string): boolean {
  return batch.every(({ held }) => held?.every(event => event.epoch === epoch) ?? true)
}

/**
 * Whether what was acknowledged or handed on, up to `seq`, is not in the log: a fail-over to a replica that had not got
 * it, most likely.
 */
export function isBehind(batch: readonly Mirror[], { state, topics, acknowledged }: Answer, seq: number): boolean {
  if (state.seq < seq) return true
  for (const [topic, last] of acknowledged) if (hasLost(topics.get(topic), last)) return true
  return batch.some(({ topic, last = 0 }) => hasLost(topics.get(topic), last))
}

/** Topics of which events are lost, and what the others missed, in the order of the log. */
export function missing(
  batch: readonly Mirror[],
  { topics }: Answer,
): { lost: string[]; missed: [Mirror, LoggedEvent][] } {
  const lost: string[] = []
  const missed: [Mirror, LoggedEvent][] = []
  for (const mirror of batch) {
    const topic = topics.get(mirror.topic)
    if (topic === undefined) continue
    if (isLost(mirror, topic)) lost.push(mirror.topic)
    for (const event of missedBy(mirror, topic)) missed.push([mirror, event])
  }
  missed.sort(([, a], [, b]) => a.seq - b.seq)
  return { lost, missed }
}

/** Whether events after the last one that was handed on are in no history any more. The mirror begins anew then. */
function isLost(mirror: Mirror, { last, events }: TopicState): boolean {
  const before = events[0]?.previous ?? last
  if (mirror.last === undefined) {
    mirror.begin(last)
    return false
  }
  if (before <= mirror.last) return false
  mirror.begin(before, true)
  return true
}

/**
 * Events that follow the last one that was handed on: from history, then those that came meanwhile, each of which must
 * follow the one before it.
 */
function missedBy(mirror: Mirror, { last, events }: TopicState): LoggedEvent[] {
  const missed = events.filter(({ seq }) => seq > (mirror.last ?? last))
  let end = last
  for (const event of mirror.held ?? []) {
    if (event.previous !== end) continue
    missed.push(event)
    end = event.seq
  }
  return missed
}
