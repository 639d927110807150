import { Counter, Histogram } from 'prom-client'
import type { ReplayKind } from '../diagnostics.ts'
import type { GapReason } from '../wire/notices.ts'
import type { CheckedMetricsOptions } from './options.ts'

// Seconds. Most of what is measured here takes less than a millisecond on a good day, and seconds on a bad one.
const LAG_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10]
const OPENING_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const LIFE_BUCKETS = [1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400]
const BEHIND_BUCKETS = [0.05, 0.1, 0.5, 1, 5, 15, 60]
const EVENT_BUCKETS = [0, 1, 10, 50, 100, 500, 1_000, 5_000]

const OPENINGS = ['newcomer', 'resumed', 'gap'] as const satisfies readonly ReplayKind[]
const GAP_REASONS = ['trimmed', 'epoch', 'unknown', 'overflow'] as const satisfies readonly GapReason[]

/** Why `publish` rejected: the codes of its errors. */
export const PUBLISH_FAILURES = [
  'ERR_BROKER',
  'ERR_EVENT_INVALID',
  'ERR_EVENT_TOO_LARGE',
  'ERR_TOPIC_INVALID',
  'ERR_HUB_CLOSED',
  'other',
] as const

/** What is measured as it happens. */
export type Flow = ReturnType<typeof registerFlow>

/** Registers what is measured as it happens. Every value of a closed vocabulary is there from the start. */
export function registerFlow({ register, prefix }: CheckedMetricsOptions) {
  const named = (name: string, help: string) => ({ name: prefix + name, help, registers: [register] })

  const published = new Counter({
    ...named(
      'published_total',
      'Events published by this instance, by kind of topic. What delivery costs grows with this and with the streams of each topic.',
    ),
    labelNames: ['topic'],
  })
  const publishFailed = new Counter({
    ...named(
      'publish_failed_total',
      'Calls of publish that rejected, by code. ERR_BROKER: Redis does not answer in time. The others are mistakes of whoever publishes.',
    ),
    labelNames: ['code'],
  })
  const delivered = new Counter({
    ...named(
      'delivered_total',
      'Events written to streams, once for each stream, live and from history, by kind of topic. Against published_total: how many readers an event has.',
    ),
    labelNames: ['topic'],
  })
  const gaps = new Counter({
    ...named(
      'gaps_total',
      'Times that a client was told of lost events, by reason. trimmed: history is shorter than clients are away. epoch: the log has lost events. overflow: slow clients are dropped to the present. unknown: ids of another log.',
    ),
    labelNames: ['reason'],
  })
  const publishing = new Histogram({
    ...named(
      'publish_seconds',
      'How long publish takes until the event is in history and handed over. High: Redis or the way to it is slow, or this process has too much to do.',
    ),
    buckets: LAG_BUCKETS,
  })
  const deliveryLag = new Histogram({
    ...named(
      'delivery_lag_seconds',
      'From when the log took an event until it was written to all streams of this instance that are live. By the log’s own clock, as known here to half of a round trip: never less than 0. High with a low broker_lag_seconds: this process is busy. What clients read from history is not in it.',
    ),
    buckets: LAG_BUCKETS,
  })
  const brokerLag = new Histogram({
    ...named(
      'broker_lag_seconds',
      'From when the log took an event until it came to this instance, by the log’s own clock: never less than 0. High: Redis, or the network from it, is slow or was away; or this process is too busy to read.',
    ),
    buckets: LAG_BUCKETS,
  })
  const opening = new Histogram({
    ...named(
      'opening_seconds',
      'From the request until its client has caught up, by where it went on. Many resumed at once: a deployment or a lost network. gap: clients that lost events, see gaps_total. High: logins, the resolver, snapshots or history are slow.',
    ),
    labelNames: ['kind'],
    buckets: OPENING_BUCKETS,
  })
  const firstByte = new Histogram({
    ...named(
      'first_byte_seconds',
      'From the request until the first byte of its stream. High: the login, its store, or the resolver is slow.',
    ),
    buckets: OPENING_BUCKETS,
  })
  const replayed = new Histogram({
    ...named(
      'replayed_events',
      'Events that a client was sent from history, until it had caught up. Near the limit of history: clients are away longer than it lasts, and gaps come next.',
    ),
    buckets: EVENT_BUCKETS,
  })
  const behind = new Histogram({
    ...named(
      'behind_seconds',
      'How long slow clients took to be up to date again (`drop`, `conflate`). Many, or long: more is published than clients can read.',
    ),
    buckets: BEHIND_BUCKETS,
  })
  const life = new Histogram({
    ...named(
      'stream_seconds',
      'How long streams lived that have ended. Many at one length: a proxy that cuts idle connections (heartbeat), or maxAge.',
    ),
    buckets: LIFE_BUCKETS,
  })
  const catchUp = new Histogram({
    ...named(
      'catch_up_seconds',
      'How long live events were held back until what had been missed was read from Redis. Any: the connection was lost. High: Redis or the way to it is slow, or very much was missed.',
    ),
    buckets: OPENING_BUCKETS,
  })

  for (const code of PUBLISH_FAILURES) publishFailed.inc({ code }, 0)
  for (const reason of GAP_REASONS) gaps.inc({ reason }, 0)
  for (const kind of OPENINGS) opening.zero({ kind })
  return {
    published,
    publishFailed,
    delivered,
    gaps,
    publishing,
    deliveryLag,
    brokerLag,
    opening,
    firstByte,
    replayed,
    behind,
    life,
    catchUp,
  }
}
