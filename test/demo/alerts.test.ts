import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { eventually } from '../support/eventually.ts'
import { find, PROMETHEUS } from '../support/programs.ts'
import { startRedis } from '../support/redis-server.ts'
import { ROOT } from '../support/root.ts'
import { startCluster } from './cluster.ts'
import { choicesOf, linesOf, readDashboard, type Panel } from './dashboard/panels.ts'
import { takePicture } from './dashboard/picture.ts'
import { visit } from './dashboard/traffic.ts'
import { ask } from './prometheus.ts'
import { PASSWORDS, Visitor } from './site.ts'

interface Alert {
  readonly labels: Readonly<Record<string, string>>
  readonly state: 'pending' | 'firing'
}

// One cluster after the other.
const testPrometheus = find(PROMETHEUS) === undefined ? test.skip : test.serial

testPrometheus('Redis is stopped: an alert fires for each instance, and ends when it is back', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'alerts-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const redis = await startRedis(t)
  const {
    url,
    prometheus = '',
    stop,
  } = await startCluster(t, {
    REDIS_URL: redis.url,
    ALERT_RULES: await impatientRules(folder),
  })
  const sample = async (query: string) => {
    const { result } = await ask<{ result: { value: [number, string] }[] }>(prometheus, 'query', { query })
    return result.map(({ value }) => value[1])
  }
  const shows = (query: string, value: string) =>
    eventually(
      async () => (await sample(query))[0] === value,
      () => `Prometheus does not show ${query} as ${value}`,
    )
  const firing = async () => {
    const { alerts } = await ask<{ alerts: Alert[] }>(prometheus, 'alerts')
    return alerts.filter(({ labels, state }) => labels.alertname === 'EventStreamNotReady' && state === 'firing')
  }

  const ada = new Visitor(url)
  await ada.logIn('ada', PASSWORDS.ada)
  await ada.openStream('/events')
  await shows('sum(koa_event_stream_streams)', '1')
  await shows('sum(koa_event_stream_ready)', '2')
  t.deepEqual(await firing(), [])

  await redis.stop()
  await eventually(
    async () => (await firing()).length === 2,
    () => 'no alert for each instance',
  )
  t.deepEqual(new Set((await firing()).map(({ labels }) => labels.severity)), new Set(['critical']))

  await startRedis(t, { port: redis.port })
  await eventually(
    async () => (await firing()).length === 0,
    () => 'the alert goes on',
  )
  await shows('sum(koa_event_stream_ready)', '2')
  // Sessions went with that Redis.
  await ada.logIn('ada', PASSWORDS.ada)
  const again = await ada.openStream('/events')
  // On a busy machine a look into the new Redis may miss its deadline: 503, and nothing is done.
  await eventually(
    async () => (await ada.post('/orders', { lot: 'nyeri', bags: '11' })).status === 303,
    () => 'no order is taken',
  )
  await again.next(({ event, data }) => event === 'order.created' && data.includes('"bags":11,'))
  t.is(await stop(), 0)
})

// The demo's streams are those that disconnect a slow client, which is never behind then.
const EMPTY = new Set(['Slow clients: behind'])
/** Rounds of visits for a picture whose lines have a shape. */
const PICTURE_ROUNDS = 60

testPrometheus('Prometheus takes every query of the dashboard, and has data for it', async t => {
  const redis = await startRedis(t)
  const cluster = await startCluster(t, { REDIS_URL: redis.url })
  const { prometheus = '' } = cluster
  const { panels, templating } = await readDashboard()
  const start = Math.ceil(Date.now() / 1_000)
  const draw = async (panel: Panel) => linesOf(prometheus, panel, { start, end: Date.now() / 1_000 })
  const isFilled = async (panel: Panel) =>
    (await draw(panel)).some(({ points }) => points.some(([, value]) => value > 0 && Number.isFinite(value)))

  const missing = new Set(panels.filter(({ type, title }) => type !== 'row' && !EMPTY.has(title)))
  t.true(missing.size > 15)
  await visit(t, cluster, redis.url, async round => {
    for (const panel of missing) if (await isFilled(panel)) missing.delete(panel)
    if (round > 120) throw new Error(`no data for ${[...missing].map(({ title }) => title).join(', ')}`)
    return missing.size === 0 && (!process.env.SCREENSHOT || round >= PICTURE_ROUNDS)
  })
  for (const panel of panels) await t.notThrowsAsync(draw(panel))
  const choices = templating.list.filter(({ query }) => query.startsWith('label_values('))
  t.deepEqual(await Promise.all(choices.map(async variable => (await choicesOf(prometheus, variable)).length)), [1, 2])
  if (!process.env.SCREENSHOT) return
  await takePicture(t, await Promise.all(panels.map(async panel => ({ panel, lines: await draw(panel) }))))
})

/** The rules of the documentation, without the patience that keeps them from waking somebody for a blink. */
async function impatientRules(folder: string): Promise<string> {
  const rules = await readFile(join(ROOT, 'docs/operation/alerts.yml'), 'utf8')
  const file = join(folder, 'alerts.yml')
  await writeFile(file, rules.replaceAll(/for: \d+m/g, 'for: 2s'))
  return file
}
