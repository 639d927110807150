import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { format } from 'prettier'
import { withSection } from '../support/marked-section.ts'
import { ROOT } from '../support/root.ts'

const PAGE = join(ROOT, 'docs/recovery.md')

/** How long a page took to read on after a fault, in milliseconds, round by round. */
export interface Recovery {
  readonly title: string
  /** From when the times are taken. */
  readonly from: string
  readonly browser: string
  readonly transport: string
  readonly times: readonly number[]
}

const recoveries: Recovery[] = []

/** Keeps it for the table, and answers its row. */
export function note(recovery: Recovery): string {
  recoveries.push(recovery)
  return row(recovery)
}

/** Writes the table of all that was noted into the documentation. */
export async function writeTable(): Promise<void> {
  const sorted = recoveries.toSorted((a, b) => orderOf(a).localeCompare(orderOf(b)))
  const table = [
    '| after | from | browser | transport | median | longest |',
    '|---|---|---|---|---|---|',
    ...sorted.map(row),
  ]
  const text = withSection(await readFile(PAGE, 'utf8'), 'recovery', `${table.join('\n')}\n`)
  await writeFile(PAGE, await format(text, { parser: 'markdown' }))
}

function orderOf({ title, browser, transport }: Recovery): string {
  return [title, browser, transport].join()
}

function row({ title, from, browser, transport, times }: Recovery): string {
  const sorted = times.toSorted((a, b) => a - b)
  const median = sorted[Math.floor(sorted.length / 2)]
  const cells = [title, from, browser, transport, inSeconds(median), inSeconds(sorted.at(-1))]
  return `| ${cells.join(' | ')} |`
}

function inSeconds(ms = NaN): string {
  return `${(ms / 1_000).toFixed(2)} s`
}
