import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../support/root.ts'
import { clients, type Client } from './clients.ts'
import type { Behaviour } from './observe.ts'

export const PAGE = join(ROOT, 'docs/clients.md')
export const SECTION = 'clients'

const HEAD = [
  'client',
  'after an end in order',
  'after 503',
  '`overload`',
  'after 401',
  'a source that has ended',
  'resumes by',
  'asks past caches',
  '`allowHeaders`',
  'what to know',
]

/** How a client is called in the table, with the version that is installed. */
export function nameOf({ name, package: installed }: Client): string {
  if (installed === undefined) return name ?? ''
  const { name: real, version } = JSON.parse(
    readFileSync(join(ROOT, 'node_modules', installed, 'package.json'), 'utf8'),
  ) as { name: string; version: string }
  return `${real} ${version.split('.')[0] ?? ''}`
}

/** The cells of a client's row. */
export function rowOf(client: Client, seen: Behaviour): readonly string[] {
  const { afterEnd, after503, after401, afterSource, resumes, isUncached, headersAsked } = seen
  const overload = after503 === 'returns' ? "`'reject'`" : afterEnd === 'returns' ? "`'postpone'`" : 'neither'
  const leave = headersAsked.map(name => `\`${name}\``).join(', ') || 'none'
  return [
    nameOf(client),
    afterEnd,
    after503,
    overload,
    after401,
    afterSource,
    resumes,
    isUncached ? 'yes' : 'no',
    client.where === 'other origin' ? leave : '—',
    client.note,
  ]
}

/** The whole table, in the order of the clients. */
export function tableOf(rows: ReadonlyMap<Client, readonly string[]>): string {
  const lines = [HEAD, HEAD.map(() => '---'), ...clients.map(client => rows.get(client) ?? [])]
  return lines.map(cells => `| ${cells.join(' | ')} |`).join('\n')
}

/** The rows of a table in Markdown, without its head. */
export function rowsIn(table: string): readonly (readonly string[])[] {
  const lines = table.split('\n').filter(line => line.startsWith('|'))
  return lines.slice(2).map(line =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map(cell => cell.trim()),
  )
}
