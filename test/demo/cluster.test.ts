import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import test, { type ExecutionContext } from 'ava'
import type { ReceivedStream } from '../support/http.ts'
import { PASSWORDS, Visitor } from './site.ts'

interface Cluster {
  readonly url: string
  /** Process ids of the instances by their address. */
  readonly instances: ReadonlyMap<string, number>
  /** Ends it as Ctrl-C does, and answers its exit code. */
  stop(): Promise<unknown>
}

async function startCluster(t: ExecutionContext): Promise<Cluster> {
  const { REDIS_URL: _, ...env } = process.env
  const script = spawn(process.execPath, ['--import=tsx', 'demo/cluster/main.ts'], {
    env: { ...env, PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(script, 'exit')
  const stop = async () => {
    script.kill('SIGINT')
    return (await exited)[0] as unknown
  }
  t.teardown(stop)
  const instances = new Map<string, number>()
  for await (const line of createInterface(script.stdout)) {
    const [, address, pid] = /^An instance is at (\S+), process (\d+)$/.exec(line) ?? []
    if (address !== undefined) instances.set(address, Number(pid))
    const [, url] = /^Quayside is open at (\S+)$/.exec(line) ?? []
    if (url !== undefined) return { url, instances, stop }
  }
  throw new Error('the cluster did not start')
}

const servedBy = (stream: ReceivedStream) => String(stream.headers['x-served-by'])
// What the warehouse makes up has fewer bags.
const MADE_UP = 10
const placed = (stream: ReceivedStream) =>
  stream.received
    .filter(({ event }) => event === 'order.created')
    .map(({ data }) => (JSON.parse(data) as { bags: number }).bags)
    .filter(bags => bags > MADE_UP)
const order =
  (bags: number) =>
  ({ event, data }: { event?: string; data: string }) =>
    event === 'order.created' && data.includes(`"bags":${bags},`)

test('behind nginx two instances are one site, and one of them may die', async t => {
  const { url, instances, stop } = await startCluster(t)
  t.is(instances.size, 2)
  const ada = new Visitor(url)
  t.is((await ada.logIn('ada', PASSWORDS.ada)).status, 303)
  const open = (headers = {}) => ada.openStream('/events', headers)
  const here = await open()
  let there = await open()
  while (servedBy(there) === servedBy(here)) there = await open()

  for (const bags of [11, 12]) t.is((await ada.post('/orders', { lot: 'nyeri', bags: String(bags) })).status, 303)
  for (const stream of [here, there]) await stream.next(order(12))
  for (const stream of [here, there]) t.deepEqual(placed(stream), [11, 12])
  for (const page of [await ada.get('/'), await ada.get('/')]) {
    const text = await page.text()
    for (const bags of [11, 12]) t.true(text.includes(`<span data-field="bags">${bags}</span>`))
  }

  process.kill(instances.get(servedBy(here)) ?? 0, 'SIGKILL')
  await here.closed
  // Until nginx knows, an order that had gone to the dead one would fail: it must not be given twice. Pages are.
  for (let n = 0; n < instances.size; n += 1) t.is((await ada.get('/')).status, 200)
  for (const bags of [13, 14]) t.is((await ada.post('/orders', { lot: 'huila', bags: String(bags) })).status, 303)
  const { id = '' } = here.received.findLast(({ id }) => id !== undefined) ?? {}
  const resumed = await open({ 'last-event-id': id })
  t.is(servedBy(resumed), servedBy(there))
  await resumed.next(order(14))
  await there.next(order(14))
  t.deepEqual(placed(resumed), [13, 14])
  t.deepEqual(placed(there), [11, 12, 13, 14])
  t.false(resumed.received.some(({ event }) => event === 'gap'))
  t.is(await stop(), 0)
})
