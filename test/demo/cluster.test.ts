import { randomUUID } from 'node:crypto'
import test from 'ava'
import type { ReceivedStream } from '../support/http.ts'
import { servedBy, startCluster } from './cluster.ts'
import { PASSWORDS, Visitor } from './site.ts'

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

test('an instance dies in the middle of its answer: who reads it on the other one is told, and has it anew there', async t => {
  const { url, instances } = await startCluster(t)
  const ada = new Visitor(url)
  await ada.logIn('ada', PASSWORDS.ada)
  const id = randomUUID()
  const asked = await ada.ask('Tell me the story of coffee', id)
  let reader = await ada.readAnswer(id)
  while (servedBy(reader) === servedBy(asked)) reader = await ada.readAnswer(id)
  await reader.next(({ event }) => event === 'token')
  process.kill(instances.get(servedBy(asked)) ?? 0, 'SIGKILL')
  t.is((await reader.next(({ event }) => event === 'interrupted')).data, '{"reason":"lost"}')
  await reader.closed
  // What nginx asks the dead one for it asks the other one then, but for what must not be repeated.
  for (let n = 0; n < instances.size; n += 1) t.is((await ada.get('/assistant')).status, 200)
  const anew = await ada.ask('Tell me the story of coffee', id)
  t.is(servedBy(anew), servedBy(reader))
  await anew.next(({ event }) => event === 'done')
})
