import type { Contender } from '../contenders/contender.ts'
import { contenders } from '../contenders/index.ts'
import type { Results } from '../run.ts'
import type { Workload } from '../workload.ts'
import { heading } from './heading.ts'
import { markdown } from './markdown.ts'
import { rounded } from './rounded.ts'

/** A table in Markdown: a line for each contender that was measured. */
export function table({ metrics }: Workload, results: Results, taking: readonly Contender[] = contenders): string {
  const lines = taking.flatMap(({ name, title }) => {
    const measures = results.get(name)
    return measures === undefined ? [] : [[title, ...metrics.map(({ key }) => rounded(measures[key] ?? NaN))]]
  })
  return markdown(['server', ...metrics.map(heading)], lines)
}
