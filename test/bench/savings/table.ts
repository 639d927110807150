import { heading } from '../report/heading.ts'
import { markdown } from '../report/markdown.ts'
import type { Results } from '../run.ts'
import type { Workload } from '../workload.ts'

/**
 * A table in Markdown: a line for the library as it is, and one for each that lacks a saving, with what that saves.
 *
 * @param whole the name of the library as it is
 */
export function savingsTable({ metrics }: Workload, results: Results, whole: string): string {
  const of = (name: string, key: string) => results.get(name)?.[key] ?? NaN
  const lines = [...results.keys()].map(name => [
    name,
    ...metrics.map(({ key }) => bytes(of(name, key))),
    ...metrics.map(({ key }) => (name === whole ? '' : bytes(of(name, key) - of(whole, key)))),
  ])
  return markdown(['library', ...metrics.map(heading), ...metrics.map(({ title }) => `saves, ${title}`)], lines)
}

function bytes(value: number): string {
  return Number.isFinite(value) ? Math.round(value).toLocaleString('en') : '–'
}
