import { judge } from '../targets.ts'
import type { Workload } from '../workload.ts'
import { describeMachine } from './machine.ts'
import { measuredOf, resultsOf, type Saved, type SavedRun } from './saved.ts'
import { table } from './table.ts'
import { verdictTable } from './verdicts.ts'

/** The page of all results, in Markdown. */
export function page(workloads: readonly Workload[], saved: Saved): string {
  return [
    '# Results',
    'Written by `npm run bench -- --save`. [How to run it and how to read the numbers](../README.md).',
    ...workloads.flatMap(workload => section(workload, saved[workload.name])),
    '## targets',
    'What this library is to reach, as ratios within one run.',
    verdictTable(judge(measuredOf(saved))),
    '',
  ].join('\n\n')
}

function section(workload: Workload, run: SavedRun | undefined): string[] {
  if (run === undefined) return []
  const { name, about } = workload
  return [
    `## ${name}`,
    `${about}.`,
    `![${name}: ${workload.metrics.map(({ title }) => title).join(', ')}](${name}.svg)`,
    table(workload, resultsOf(run)),
    `Medians of ${run.rounds} rounds on ${run.date}: ${describeMachine(run.machine)}.`,
  ]
}
