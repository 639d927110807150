import { Counter, Gauge } from 'prom-client'
import type { Hub } from '../hub/hub.ts'
import type { HubStats } from '../hub/lifecycle.ts'
import type { MetricsPlace } from './options.ts'

/** State of the hub, read when Prometheus scrapes. */

interface Reading {
  readonly name: string
  readonly help: string
  readonly read: (stats: HubStats, hub: Pick<Hub, 'ready'>) => number
}

const GAUGES: readonly Reading[] = [
  {
    name: 'ready',
    help: '1 while the hub accepts streams and publishes, 0 while its broker is lost or it drains. At 0 for long: check Redis, and the reason in hub.on("lost").',
    read: (_, { ready }) => Number(ready),
  },
  {
    name: 'streams',
    help: 'Open streams. Scale instances by it. A sudden drop: a network or proxy failure, or a deployment. Near limits.process new ones will be refused.',
    read: ({ streams }) => streams,
  },
  {
    name: 'topics',
    help: 'Topics with a stream on this instance. Rising while streams do not: streams subscribe to topics and never unsubscribe.',
    read: ({ topics }) => topics,
  },
  {
    name: 'identities',
    help: 'Identities with a stream on this instance. Many streams per identity: many tabs without a shared connection, or a client that leaks streams.',
    read: ({ identities }) => identities,
  },
  {
    name: 'addresses',
    help: 'Client networks with a stream on this instance. 1 with many streams: app.proxy is not set behind a proxy, and limits.address counts the proxy.',
    read: ({ addresses }) => addresses,
  },
  {
    name: 'buffered_bytes',
    help: 'Bytes buffered in this process for clients. Rising: clients or their network cannot keep up; beyond limits.buffered the slowest are evicted.',
    read: ({ bufferedBytes }) => bufferedBytes,
  },
  {
    name: 'leases',
    help: 'Leases of this instance’s streams for limits across all instances. Above the number of streams for long: leases are not released, since Redis does not respond.',
    read: ({ leases }) => leases,
  },
  {
    name: 'relay_runs',
    help: 'Active relay runs on this instance. Rising without end: sources that hang, which only `keep` ends.',
    read: ({ running }) => running,
  },
]

const COUNTERS: readonly Reading[] = [
  {
    name: 'streams_opened_total',
    help: 'Streams opened. Many with a steady number of streams: clients keep reconnecting; see why streams close.',
    read: ({ opened }) => opened,
  },
  {
    name: 'sent_bytes_total',
    help: 'Stream bytes handed to connections, before compression and HTTP framing: the network load.',
    read: ({ sentBytes }) => sentBytes,
  },
  {
    name: 'faults_total',
    help: 'Errors that reach no caller: listeners, sources, clean-ups, stores. If there are any, log hub.on("fault").',
    read: ({ faults }) => faults,
  },
  {
    name: 'broker_lost_total',
    help: 'Times the broker was lost. Many short ones: an unstable network to Redis, or a Redis that is full or fails over.',
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
    help: 'Streams ended, by reason. client is normal. slow: clients are evicted, see buffered_bytes. unverifiable: the session store does not respond. error: see hub.on("fault").',
    label: 'reason',
    read: ({ closed }) => closed,
  },
  {
    name: 'requests_refused_total',
    help: 'Requests that got no stream, by reason. unauthenticated and forbidden: logins, or an attack. *-limit, *-rate: too many streams. broker, resolver, unavailable: a dependency is down.',
    label: 'reason',
    read: ({ refused }) => refused,
  },
  {
    name: 'relay_runs_ended_total',
    help: 'Ended relay runs, by outcome. failed: the source throws. interrupted: processes crash or restart during an answer.',
    label: 'how',
    read: ({ runs }) => runs,
  },
]

export function registerState(hub: Hub, { registers, prefix }: MetricsPlace): void {
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
