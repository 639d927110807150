import { heading } from '../report/heading.ts'
import { markdown } from '../report/markdown.ts'
import { rounded } from '../report/rounded.ts'
import type { Results } from '../run.ts'
import type { Measured } from '../targets.ts'
import type { Workload } from '../workload.ts'
import type { LineUp } from './line-up.ts'

/** A table in Markdown: a line for each workload and measure, with the medians and what they were multiplied by. */
export function comparison(workloads: readonly Workload[], measured: Measured, lineUp: LineUp): string {
  const titles = [lineUp.before, lineUp.now, lineUp.again].map(({ title }) => title)
  const lines = workloads.flatMap(workload => {
    const results = measured.get(workload.name)
    return results === undefined ? [] : linesOf(workload, results, lineUp)
  })
  return markdown(['workload', 'measure', ...titles, 'before → now', 'now → again'], lines, 2)
}

function linesOf({ name, metrics }: Workload, results: Results, lineUp: LineUp): string[][] {
  return metrics.map(metric => {
    const of = (side: keyof LineUp) => results.get(lineUp[side].name)?.[metric.key] ?? NaN
    const [before, now, again] = [of('before'), of('now'), of('again')]
    return [name, heading(metric), ...[before, now, again, now / before, again / now].map(rounded)]
  })
}
