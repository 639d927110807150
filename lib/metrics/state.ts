import { Counter, Gauge } from 'prom-client'
import type { Hub } from '../hub/hub.ts'
import type { HubStats } from '../hub/lifecycle.ts'
import type { CheckedMetricsOptions } from './options.ts'

/** What the hub knows by itself, asked when Prometheus does: in between it costs nothing. */

interface Reading {
  readonly name: string
  readonly help: string
  readonly read: (stats: HubStats, hub: Pick<Hub, 'ready'>) => number
}

const GAUGES: readonly Reading[] = [
  {
    name: 'ready',
    help: '1 while the hub takes streams and publishes, 0 while its broker is lost or it drains. At 0 for long: look at Redis, and at the reason that hub.on("lost") tells.',
    read: (_, { ready }) => Number(ready),
  },
  {
    name: 'streams',
    help: 'Streams open now. What instances are scaled by. A sudden fall is a lost network, proxy or deployment; nearing limits.process, new ones are about to be refused.',
    read: ({ streams }) => streams,
  },
  {
    name: 'topics',
    help: 'Topics that have a stream here now. Rising while streams do not: streams collect topics and never leave them.',
    read: ({ topics }) => topics,
  },
  {
    name: 'identities',
    help: 'Identities that have a stream here now. Many streams an identity: many tabs without a shared connection, or a client that leaks streams.',
    read: ({ identities }) => identities,
  },
  {
    name: 'addresses',
    help: 'Networks of clients that have a stream here now. 1 with many streams: app.proxy is not set behind a proxy, and limits.address counts the proxy.',
    read: ({ addresses }) => addresses,
  },
  {
    name: 'buffered_bytes',
    help: 'Bytes that wait in this process for clients to read them. Rising: clients or their network are slower than what is published; beyond limits.buffered the slowest are cut.',
    read: ({ bufferedBytes }) => bufferedBytes,
  },
  {
    name: 'leases',
    help: 'Places that streams of this instance hold in limits over all instances. Above the number of streams for long: places are not given back, since Redis does not answer.',
    read: ({ leases }) => leases,
  },
  {
    name: 'relay_runs',
    help: 'Runs of relays on this instance now. Rising without an end: sources that hang, which only `keep` ends.',
    read: ({ running }) => running,
  },
]

const COUNTERS: readonly Reading[] = [
  {
    name: 'streams_opened_total',
    help: 'Streams opened. Many for a steady number of streams: clients reconnect all the time; see why streams close.',
    read: ({ opened }) => opened,
  },
  {
    name: 'sent_bytes_total',
    help: 'Bytes of streams that were handed to their connections, before compression and the framing of HTTP. What the network has to carry.',
    read: ({ sentBytes }) => sentBytes,
  },
  {
    name: 'faults_total',
    help: 'Failures that no caller hears of: listeners, sources, clean-ups, stores. Any are worth a look at what hub.on("fault") tells.',
    read: ({ faults }) => faults,
  },
  {
    name: 'broker_lost_total',
    help: 'Times that the broker could not do its work any more. Many short ones: an unsteady network to Redis, or a Redis that is full or fails over.',
    read: ({ lost }) => lost,
  },
]

interface Tally {
  readonly name: string
  readonly help: string
  readonly label: string
  readonly read: (stats: HubStats) => Readonly<Record<string, number>>
}

const TALLIES: readonly Tally[] = [
  {
    name: 'streams_closed_total',
    help: 'Streams ended, by reason. client is ordinary. slow: clients are evicted, see buffered_bytes. unverifiable: the session store does not answer. error: see hub.on("fault").',
    label: 'reason',
    read: ({ closed }) => closed,
  },
  {
    name: 'requests_refused_total',
    help: 'Requests that got no stream, by reason. unauthenticated and forbidden: logins, or an attack. *-limit, *-rate: too many streams. broker, resolver, unavailable: something of ours is down.',
    label: 'reason',
    read: ({ refused }) => refused,
  },
  {
    name: 'relay_runs_ended_total',
    help: 'Runs of relays that are over, by how they ended. failed: the source throws. interrupted: processes die or are restarted in the middle of answers.',
    label: 'how',
    read: ({ runs }) => runs,
  },
]

export function registerState(hub: Hub, { register, prefix }: CheckedMetricsOptions): void {
  const registers = [register]
  for (const { name, help, read } of GAUGES) {
    new Gauge({
      name: prefix + name,
      help,
      registers,
      collect() {
        this.set(read(hub.stats(), hub))
      },
    })
  }
  for (const { name, help, read } of COUNTERS) {
    new Counter({
      name: prefix + name,
      help,
      registers,
      collect() {
        this.reset()
        this.inc(read(hub.stats(), hub))
      },
    })
  }
  for (const { name, help, label, read } of TALLIES) {
    new Counter({
      name: prefix + name,
      help,
      registers,
      labelNames: [label],
      collect() {
        this.reset()
        for (const [key, count] of Object.entries(read(hub.stats()))) this.inc({ [label]: key }, count)
      },
    })
  }
}
