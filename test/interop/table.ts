import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { format, resolveConfig } from 'prettier'
import { koaVersions } from '../support/koa-versions.ts'
import { ROOT } from '../support/root.ts'
import type { Neighbour } from './neighbour.ts'

const MODULES = join(ROOT, 'node_modules')
/** The page that has the table. */
export const PAGE = join(ROOT, 'docs/works-with.md')

export const SECTION = 'interop'

/** How a neighbour is called in the table and in the titles of tests, with the versions that are installed. */
export function nameOf({ packages, how }: Neighbour): string {
  const versioned = packages.map(name => `${name} ${series(name)}`)
  const [last = '', ...others] = versioned.reverse()
  const listed = others.length === 0 ? last : `${others.reverse().join(', ')} and ${last}`
  return [listed, how].filter(Boolean).join(', ')
}

/** The table as Prettier would have it. Every cell has a test, so each of them is a yes. */
export async function tableOf(neighbours: readonly Neighbour[]): Promise<string> {
  const versions = koaVersions.map(([name]) => name)
  const rows = neighbours.map(neighbour => [nameOf(neighbour), ...versions.map(() => '✓'), neighbour.note])
  const lines = [['beside', ...versions, 'what to know'], ['---', ...versions.map(() => ':-:'), '---'], ...rows]
  const table = lines.map(cells => `| ${cells.join(' | ')} |`).join('\n')
  return format(table, { ...(await resolveConfig(PAGE)), parser: 'markdown' })
}

/** The part of a version within which nothing breaks: `5` of 5.2.2, `0.70` of 0.70.1. */
function series(name: string): string {
  const { version } = JSON.parse(readFileSync(join(MODULES, name, 'package.json'), 'utf8')) as { version: string }
  const [major = '', minor = ''] = version.split('.')
  return major === '0' ? `0.${minor}` : major
}
