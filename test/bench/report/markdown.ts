/** A table, with columns as wide as Prettier has them: so many of text, and then of figures. */
export function markdown(head: readonly string[], lines: readonly (readonly string[])[], texts = 1): string {
  const widths = head.map((title, i) => Math.max(3, title.length, ...lines.map(line => line[i]?.length ?? 0)))
  const pad = (cell: string, i: number) => (i < texts ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))
  const row = (cells: readonly string[]) => `| ${cells.map(pad).join(' | ')} |`
  const rule = widths.map((width, i) => (i < texts ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  return [row(head), row(rule), ...lines.map(row)].join('\n')
}
