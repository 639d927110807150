import { hostname } from 'node:os'
import type { HubEngine } from '../hub/engine.ts'
import type { OpenStream } from '../hub/inspection.ts'
import type { Activity, Rates } from './activity.ts'
import { Least } from './least.ts'
import { rowOf, type StreamRow } from './listing.ts'

/** Topics and slow readers that an instance names, at most. */
const MOST_TOPICS = 20
const MOST_SLOW = 10

export interface TopicRow {
  /** Its whole name from an instance; shortened, to be shown, once those of all instances are joined. */
  readonly topic: string
  /** Streams that have it, on the instances that name it among their first. */
  readonly streams: number
  /** Events a second, on the instance that has seen most of them: each event comes to every instance that listens. */
  readonly rate: number | null
}

/** What an instance says of itself. Counters are since its start. */
export interface InstanceState {
  readonly instance: string
  readonly host: string
  readonly pid: number
  readonly ready: boolean
  readonly draining: boolean
  readonly streams: number
  readonly topics: number
  readonly identities: number
  readonly buffered: number
  readonly opened: number
  readonly gaps: number
  readonly faults: number
  readonly lost: number
  readonly slow: number
  readonly refused: number
  readonly rates: Rates
  readonly topTopics: readonly TopicRow[]
  readonly slowReaders: readonly StreamRow[]
}

export function instanceState(hub: HubEngine, activity: Activity): InstanceState {
  const { streams, topics, identities, bufferedBytes, opened, gaps, faults, lost, closed, refused } = hub.stats()
  const instance = hub.instances.id
  const rates = activity.look()
  return {
    instance,
    host: hostname(),
    pid: process.pid,
    ready: hub.ready,
    draining: hub.draining,
    streams,
    topics,
    identities,
    buffered: bufferedBytes,
    opened,
    gaps,
    faults,
    lost,
    slow: closed.slow,
    refused: Object.values(refused).reduce((sum, count) => sum + count, 0),
    rates,
    topTopics: topTopics(hub, activity),
    slowReaders: slowReaders(hub, instance),
  }
}

/** Half of them by their streams, and half by how much is published to them. */
function topTopics({ inspection }: HubEngine, activity: Activity): TopicRow[] {
  const byStreams = new Least<TopicRow>(MOST_TOPICS / 2, (a, b) => b.streams - a.streams)
  const byRate = new Least<TopicRow>(MOST_TOPICS / 2, (a, b) => (b.rate ?? 0) - (a.rate ?? 0))
  inspection.eachTopic((topic, streams) => {
    const row = { topic, streams, rate: activity.rateOf(topic) }
    byStreams.add(row)
    if (row.rate !== null && row.rate > 0) byRate.add(row)
  })
  const rows = new Map([...byStreams.items, ...byRate.items].map(row => [row.topic, row]))
  return [...rows.values()]
}

function slowReaders({ inspection }: HubEngine, instance: string): StreamRow[] {
  const slow = new Least<OpenStream>(MOST_SLOW, (a, b) => b.buffered - a.buffered)
  inspection.eachStream(stream => {
    if (stream.buffered > 0) slow.add(stream)
  })
  return slow.items.map(stream => rowOf(stream, instance))
}
