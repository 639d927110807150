import { Counter, Histogram } from 'prom-client'
import type { ReplayKind } from '../diagnostics.ts'
import type { GapReason } from '../wire/notices.ts'
import type { MetricsPlace } from './options.ts'

// Seconds. Most values are under a millisecond in normal operation, and seconds under overload.
const LAG_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10]
const OPENING_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const LIFE_BUCKETS = [1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400]
const BEHIND_BUCKETS = [0.05, 0.1, 0.5, 1, 5, 15, 60]
const EVENT_BUCKETS = [0, 1, 10, 50, 100, 500, 1_000, 5_000]

const OPENINGS = ['newcomer', 'resumed', 'gap'] as const satisfies readonly ReplayKind[]
const GAP_REASONS = ['trimmed', 'epoch', 'unknown', 'overflow'] as const satisfies readonly GapReason[]

/** The error codes of `publish`. */
export const PUBLISH_FAILURES = [
  'ERR_BROKER',
  'ERR_EVENT_INVALID',
  'ERR_EVENT_TOO_LARGE',
  'ERR_TOPIC_INVALID',
  'ERR_HUB_CLOSED',
  'other',
] as const

/** Metrics updated as events happen. */
export type Flow = ReturnType<typeof registerFlow>

/** Registers metrics updated as events happen. Label values of closed vocabularies exist from the start. */
export function registerFlow({ registers, prefix }: MetricsPlace) {
  const named = (name: string, help: string) => ({ name: prefix + name, help, registers })

  const published = new Counter({
    ...named(
      'published_total',
      'Events published by this instance, by kind of topic; a batch of events of a relay, and its end, count as one. The cost of delivery grows with this and with the streams per topic.',
    ),
    labelNames: ['topic'],
  })
  const publishFailed = new Counter({
    ...named(
      'publish_failed_total',
      'Calls of publish that rejected, by code. ERR_BROKER: Redis does not respond in time. The others are errors of the publisher.',
    ),
    labelNames: ['code'],
  })
  const delivered = new Counter({
    ...named(
      'delivered_total',
      'Events written to streams, counted per stream, live and from history, by kind of topic. Divided by published_total: readers per event.',
    ),
    labelNames: ['topic'],
  })
  const gaps = new Counter({
    ...named(
      'gaps_total',
      'Times that a client was told of lost events, by reason. trimmed: history is shorter than the time clients are offline. epoch: the log has lost events. overflow: events were dropped for slow clients. unknown: ids from another log.',
    ),
    labelNames: ['reason'],
  })
  const publishing = new Histogram({
    ...named(
      'publish_seconds',
      'Time of a publish until the event is in history and handed to the log. High: Redis or its network is slow, or this process is overloaded.',
    ),
    buckets: LAG_BUCKETS,
  })
  const deliveryLag = new Histogram({
    ...named(
      'delivery_lag_seconds',
      'Time from the append to the log until the event was written to all live streams of this instance, by the log’s clock, known to half a round trip; never less than 0. High with a low broker_lag_seconds: this process is busy. Excludes events read from history.',
    ),
    buckets: LAG_BUCKETS,
  })
  const brokerLag = new Histogram({
    ...named(
      'broker_lag_seconds',
      'Time from the append to the log until the event arrived at this instance, by the log’s clock; never less than 0. High: Redis or its network is slow or was disconnected, or this process is too busy to read.',
    ),
    buckets: LAG_BUCKETS,
  })
  const opening = new Histogram({
    ...named(
      'opening_seconds',
      'Time from the request until the client has caught up, by kind of replay. Many resumed at once: a deployment or a network failure. gap: clients that lost events, see gaps_total. High: authentication, the resolver, snapshots or history are slow.',
    ),
    labelNames: ['kind'],
    buckets: OPENING_BUCKETS,
  })
  const firstByte = new Histogram({
    ...named(
      'first_byte_seconds',
      'Time from the request until the first byte of its stream. High: authentication, its store, or the resolver is slow.',
    ),
    buckets: OPENING_BUCKETS,
  })
  const replayed = new Histogram({
    ...named(
      'replayed_events',
      'Events sent to a client from history until it had caught up. Near the limit of history: clients are offline almost longer than it lasts, and gaps will follow.',
    ),
    buckets: EVENT_BUCKETS,
  })
  const behind = new Histogram({
    ...named(
      'behind_seconds',
      'Time until a slow client has caught up (`drop`, `conflate`). Many, or long: more is published than clients can read.',
    ),
    buckets: BEHIND_BUCKETS,
  })
  const life = new Histogram({
    ...named(
      'stream_seconds',
      'Lifetime of ended streams. Many of one length: a proxy that cuts idle connections (heartbeat), or maxAge.',
    ),
    buckets: LIFE_BUCKETS,
  })
  const catchUp = new Histogram({
    ...named(
      'catch_up_seconds',
      'Time that live events were held back while missed events were read from Redis. Any: the connection was lost. High: Redis or its network is slow, or many events were missed.',
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
