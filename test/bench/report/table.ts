import { contenders } from '../contenders/index.ts'
import type { Results } from '../run.ts'
import type { Workload } from '../workload.ts'
import { heading } from './heading.ts'
import { markdown } from './markdown.ts'
import { rounded } from './rounded.ts'

/** A table in Markdown: a line for each contender. */
export function table({ metrics }: Workload, results: Results): string {
  const lines = contenders.flatMap(({ name, title }) => {
    const measures = results.get(name)
    return measures === undefined ? [] : [[title, ...metrics.map(({ key }) => rounded(measures[key] ?? NaN))]]
  })
  return markdown(['server', ...metrics.map(heading)], lines)
}
