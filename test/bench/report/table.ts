import { contenders } from '../contenders/index.ts'
import type { Results } from '../run.ts'
import type { Workload } from '../workload.ts'

/** A table in Markdown: a line for each contender. */
export function table({ metrics }: Workload, results: Results): string {
  const titles = metrics.map(({ title, unit }) => `${title}, ${unit}`)
  const lines = contenders.flatMap(({ name, title }) => {
    const measures = results.get(name)
    return measures === undefined ? [] : [[title, ...metrics.map(({ key }) => rounded(measures[key] ?? NaN))]]
  })
  return markdown(['server', ...titles], lines)
}

/** Three significant digits, which is more than such figures are good for. */
export function rounded(value: number): string {
  if (Number.isNaN(value)) return '–'
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2
  const factor = Math.abs(value) >= 1_000 ? 10 ** (Math.floor(Math.log10(Math.abs(value))) - 2) : 1
  return (
    Math.round(value / factor) * factor === 0 || factor === 1 ? value : Math.round(value / factor) * factor
  ).toLocaleString('en', {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  })
}

/** Columns padded to the same width, as Prettier has them. */
export function markdown(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const widths = head.map((title, i) => Math.max(3, title.length, ...lines.map(line => line[i]?.length ?? 0)))
  const row = (cells: readonly string[]) => `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`
  return [row(head), row(widths.map(width => '-'.repeat(width))), ...lines.map(row)].join('\n')
}
