import type { Contender } from './contenders/contender.ts'

export interface Metric {
  readonly key: string
  readonly title: string
  readonly unit: string
}

/** What a workload has measured of one contender in one round, by the keys of its metrics. */
export type Measures = Readonly<Record<string, number>>

/** Small runs are for seeing that all works: their numbers say nothing. */
export type Size = 'full' | 'quick' | 'smoke'

export interface Workload {
  readonly name: string
  /** What is done, in a sentence. */
  readonly about: string
  readonly metrics: readonly Metric[]
  /** Names of the contenders that take part. */
  readonly contenders: readonly string[]
  run(contender: Contender, build: string, size: Size): Promise<Measures>
}
