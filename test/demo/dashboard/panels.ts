import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ROOT } from '../../support/root.ts'
import { ask } from '../prometheus.ts'

const DASHBOARD = join(ROOT, 'docs/operation/grafana-dashboard.json')

export interface Panel {
  readonly type: 'row' | 'timeseries'
  readonly title: string
  /** Of 24 columns. */
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly fieldConfig?: {
    readonly defaults: { readonly unit: string; readonly custom: { readonly stacking: { readonly mode: string } } }
  }
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[]
}

interface Variable {
  readonly name: string
  readonly query: string
}

interface Dashboard {
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly Variable[] }
}

/** Seconds. */
export interface Range {
  readonly start: number
  readonly end: number
}

export interface Line {
  readonly label: string
  /** Seconds, and what Prometheus has for that moment, which may be NaN. */
  readonly points: readonly (readonly [at: number, value: number])[]
}

export async function readDashboard(): Promise<Dashboard> {
  return JSON.parse(await readFile(DASHBOARD, 'utf8')) as Dashboard
}

/** The choices of a variable. */
export async function choicesOf(prometheus: string, { query }: Variable): Promise<string[]> {
  const [, series = '', label = ''] = /^label_values\((.+), (\w+)\)$/.exec(query) ?? []
  return ask<string[]>(prometheus, `label/${label}/values`, { 'match[]': filled(series) })
}

/** @throws {Error} with what Prometheus says about a query that it does not accept */
export async function linesOf(prometheus: string, { targets = [] }: Panel, { start, end }: Range): Promise<Line[]> {
  const lines: Line[] = []
  for (const { expr, legendFormat } of targets) {
    const range = { query: filled(expr), start: String(start), end: String(end), step: '1' }
    const { result } = await ask<{ result: Series[] }>(prometheus, 'query_range', range)
    for (const { metric, values } of result) {
      const label = legendFormat.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => metric[name] ?? '')
      lines.push({ label, points: values.map(([at, value]) => [at, Number(value)]) })
    }
  }
  return lines
}

interface Series {
  readonly metric: Readonly<Record<string, string>>
  readonly values: readonly (readonly [at: number, value: string])[]
}

/** As Grafana fills in its variables for "All", and the interval at a scrape each second. */
function filled(expr: string): string {
  return expr.replaceAll('$__rate_interval', '4s').replaceAll(/\$(?:job|instance)\b/g, '.*')
}
