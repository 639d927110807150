import type { Target, Verdict } from '../targets.ts'
import { markdown } from './markdown.ts'
import { rounded } from './rounded.ts'

/** A table in Markdown: a line for each target. */
export function verdictTable(verdicts: readonly Verdict[]): string {
  const lines = verdicts.map(verdict => [
    verdict.workload,
    verdict.title,
    verdict.verdict,
    targetOf(verdict),
    rounded(verdict.value),
  ])
  return markdown(['workload', 'what', 'verdict', 'target', 'measured'], lines, 3)
}

function targetOf({ bound, limit, unit }: Target): string {
  const sign = bound === 'at most' ? '≤' : '≥'
  return `${sign} ${limit.toLocaleString('en')}${unit === undefined ? '' : ` ${unit}`}`
}
