import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { createHub } from 'koa-event-stream'
import { metrics } from 'koa-event-stream/prometheus'
import { Registry } from 'prom-client'
import { find, PROMTOOL } from '../support/programs.ts'
import { ROOT } from '../support/root.ts'

const PREFIX = 'koa_event_stream_'
const ALERTS = join(ROOT, 'docs/operation/alerts.yml')
const DASHBOARD = join(ROOT, 'docs/operation/grafana-dashboard.json')

interface Exported {
  readonly name: string
  readonly type: string
  readonly labels: readonly string[]
  readonly help: string
}

/** What is exported: by its own name, and by those of a histogram's parts. */
async function exported(): Promise<{ all: readonly Exported[]; names: ReadonlySet<string> }> {
  const register = new Registry()
  metrics(createHub(), { register })
  const all: Exported[] = []
  for (const { name, help } of await register.getMetricsAsJSON()) {
    const metric = register.getSingleMetric(name) as unknown as { type: string; labelNames: string[] }
    all.push({ name: name.slice(PREFIX.length), type: metric.type, labels: metric.labelNames, help })
  }
  const names = all.flatMap(({ name, type }) =>
    type === 'histogram' ? ['_bucket', '_sum', '_count'].map(part => PREFIX + name + part) : [PREFIX + name],
  )
  return { all, names: new Set(names) }
}

const namesIn = (text: string) => [...text.matchAll(/koa_event_stream_\w+/g)].map(([name]) => name)

test('the page has a line for each metric, with its type and its labels', async t => {
  const page = await readFile(join(ROOT, 'docs/metrics.md'), 'utf8')
  const lines = [...page.matchAll(/^\| `(\w+)` +\| (\w+) +\| (?:`(\w+)`)? +\|/gm)]
  const told = lines.map(([, name, type, label]) => ({ name, type, labels: label === undefined ? [] : [label] }))
  const { all } = await exported()
  const byName = (a: { name?: string | undefined }, b: { name?: string | undefined }) =>
    String(a.name) < String(b.name) ? -1 : 1
  t.deepEqual(
    told.toSorted(byName),
    all.map(({ name, type, labels }) => ({ name, type, labels: [...labels] })).toSorted(byName),
  )
})

test('the help of each metric says what to conclude from it', async t => {
  for (const { name, help } of (await exported()).all) t.true(help.split(/[.:] /).length > 1, `${name}: ${help}`)
})

test('the alerts are about names that are exported, and say what to do', async t => {
  const rules = (await readFile(ALERTS, 'utf8')).split(/^ +- alert: /m).slice(1)
  t.true(rules.length > 5)
  const { names } = await exported()
  for (const rule of rules) {
    const used = namesIn(rule)
    t.true(used.length > 0, rule)
    t.deepEqual(
      used.filter(name => !names.has(name)),
      [],
      rule,
    )
    t.regex(rule, /\n +summary: \S/)
    t.regex(rule, /\n +what_to_do: >-\n +\S/)
  }
})

test('reasons and codes in the alerts are of the vocabularies', async t => {
  const register = new Registry()
  metrics(createHub(), { register })
  const values = new Set(
    [...(await register.metrics()).matchAll(/(?:reason|code|how)="([^"]+)"/g)].map(([, value]) => value),
  )
  const used = [...(await readFile(ALERTS, 'utf8')).matchAll(/(?:reason|code|how)!?=~?"([^"]+)"/g)]
  t.true(used.length > 0)
  for (const value of used.flatMap(([, list = '']) => list.split('|'))) t.true(values.has(value), value)
})

test('the dashboard shows every metric, and nothing that is not exported', async t => {
  const text = await readFile(DASHBOARD, 'utf8')
  const { panels } = JSON.parse(text) as {
    panels: { type: string; description?: string; targets?: { expr: string }[] }[]
  }
  const { all, names } = await exported()
  const used = namesIn(text)
  t.deepEqual(
    used.filter(name => !names.has(name)),
    [],
  )
  const shown = panels.flatMap(({ targets = [] }) => targets.flatMap(({ expr }) => namesIn(expr))).join(' ')
  t.deepEqual(
    all.filter(({ name }) => !new RegExp(`${PREFIX}${name}(_bucket|_count)?\\b`).test(shown)),
    [],
  )
  for (const { type, description } of panels) if (type !== 'row') t.truthy(description)
})

const promtool = find(PROMTOOL)
const testPromtool = promtool === undefined ? test.skip : test
testPromtool('promtool takes the alerts', async t => {
  await t.notThrowsAsync(promisify(execFile)(promtool ?? '', ['check', 'rules', ALERTS]))
})
