import type { Contender } from './contenders/contender.ts'
import type { Measures, Size, Workload } from './workload.ts'

/** Medians over all rounds, by contender. */
export type Results = ReadonlyMap<string, Measures>

export interface RunOptions {
  readonly build: string
  readonly rounds: number
  readonly size: Size
}

/** Runs a workload with contenders in turn, round by round, so that what disturbs the machine disturbs all. */
export async function run(
  workload: Workload,
  contenders: readonly Contender[],
  { build, rounds, size }: RunOptions,
): Promise<Results> {
  const able = contenders.filter(canRun)
  const all = new Map<string, Measures[]>(able.map(({ name }) => [name, []]))
  for (let round = 1; round <= rounds; round += 1) {
    for (const contender of able) {
      console.error(`${workload.name}, round ${round} of ${rounds}: ${contender.title}`)
      all.get(contender.name)?.push(await workload.run(contender, build, size))
    }
  }
  return new Map([...all].map(([name, measures]) => [name, medians(workload, measures)]))
}

function canRun(contender: Contender): boolean {
  const reason = contender.missing()
  if (reason !== undefined) console.error(`Left out ${contender.title}: ${reason}`)
  return reason === undefined
}

function medians(workload: Workload, rounds: readonly Measures[]): Measures {
  return Object.fromEntries(workload.metrics.map(({ key }) => [key, median(rounds.map(round => round[key] ?? NaN))]))
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  return ((sorted[Math.floor(middle)] ?? NaN) + (sorted[Math.ceil(middle)] ?? NaN)) / 2
}
