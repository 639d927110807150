/**
 * What this library is to reach: ratios within one run on one machine, since nothing else can be compared. A contender is
 * called by its name, and what it was measured at by the key of the metric.
 */
import type { Results } from './run.ts'

/** What was measured, by workload. */
export type Measured = ReadonlyMap<string, Results>

/** A number from what was measured; `NaN` where that is lacking. */
type Figure = (measured: Measured) => number

export interface Target {
  readonly workload: string
  readonly title: string
  readonly bound: 'at most' | 'at least'
  readonly limit: number
  /** None for a ratio. */
  readonly unit?: string
  readonly figure: Figure
}

export interface Verdict extends Target {
  readonly value: number
  readonly verdict: 'met' | 'missed' | 'not measured'
}

export const targets: readonly Target[] = [
  atMost(0.8, between('steady', 'cpu', 'memory', 'node-http', 'CPU a delivery')),
  atMost(0.95, between('steady', 'cpu', 'memory', 'nchan', 'CPU a delivery')),
  atMost(1.3, between('steady', 'p99', 'memory', 'nchan', 'p99 latency')),
  atLeast(4, between('burst', 'rate', 'memory', 'nchan', 'deliveries a second')),
  atLeast(12, between('burst', 'rate', 'memory', 'better-sse', 'deliveries a second')),
  atMost(1.1, {
    workload: 'topics',
    title: "CPU a delivery, memory ÷ memory's in `steady`",
    figure: ratio(of('topics', 'memory', 'cpu'), of('steady', 'memory', 'cpu')),
  }),
  ...['session', 'token'].flatMap(ours => [
    atMost(1.1, between('idle', 'memory', ours, 'koa-response', 'memory a stream')),
    atMost(0.65, between('idle', 'memory', ours, 'koa-pass-through', 'memory a stream')),
  ]),
  ...['memory', 'session', 'token'].map(ours =>
    atMost(1.5, {
      workload: 'idle-many',
      title: `CPU of heartbeats, ${ours} − node-http`,
      unit: '% of a core',
      figure: difference(of('idle-many', ours, 'core'), of('idle-many', 'node-http', 'core')),
    }),
  ),
  atMost(1, between('opening', 'cpu', 'session', 'koa-pass-through', 'CPU an opening')),
  // Constant, but for clocks that tick in hundredths of a second: a sample takes some ten to twenty.
  atMost(1.2, within('opening', 'session', 'at15000', 'at1000', 'CPU an opening, at 15,000 ÷ at 1,000')),
  ...['memory', 'redis'].map(ours =>
    atMost(2, within('reconnect', ours, 'seconds', 'storm', 'all caught up ÷ opened as newcomers')),
  ),
  atMost(1.2, within('slow', 'memory', 'p99', 'p99without', 'p99 latency, with ÷ without the stalled')),
  atMost(1_000, {
    workload: 'processes',
    title: 'p99 latency, redis',
    unit: 'ms',
    figure: of('processes', 'redis', 'p99'),
  }),
]

/** Holds what was measured against each target. */
export function judge(measured: Measured): Verdict[] {
  return targets.map(target => {
    const value = target.figure(measured)
    return { ...target, value, verdict: verdictOn(target, value) }
  })
}

function verdictOn({ bound, limit }: Target, value: number): Verdict['verdict'] {
  if (Number.isNaN(value)) return 'not measured'
  return (bound === 'at most' ? value <= limit : value >= limit) ? 'met' : 'missed'
}

type Question = Omit<Target, 'bound' | 'limit'>

function atMost(limit: number, question: Question): Target {
  return { ...question, bound: 'at most', limit }
}

function atLeast(limit: number, question: Question): Target {
  return { ...question, bound: 'at least', limit }
}

/** One metric of two contenders. */
function between(workload: string, key: string, ours: string, theirs: string, what: string): Question {
  const figure = ratio(of(workload, ours, key), of(workload, theirs, key))
  return { workload, title: `${what}, ${ours} ÷ ${theirs}`, figure }
}

/** Two metrics of one contender. */
function within(workload: string, contender: string, key: string, base: string, what: string): Question {
  const figure = ratio(of(workload, contender, key), of(workload, contender, base))
  return { workload, title: `${what}, ${contender}`, figure }
}

function of(workload: string, contender: string, key: string): Figure {
  return measured => measured.get(workload)?.get(contender)?.[key] ?? NaN
}

function ratio(figure: Figure, base: Figure): Figure {
  return measured => figure(measured) / base(measured)
}

function difference(figure: Figure, base: Figure): Figure {
  return measured => figure(measured) - base(measured)
}
