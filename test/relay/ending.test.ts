// Every way in which a run can end, on both engines.
import { once } from 'node:events'
import test from 'ava'
import Koa from 'koa'
import { createHub, memoryBroker } from 'koa-event-stream'
import { relay } from 'koa-event-stream/relay'
import { byName } from '../koa/endpoint.ts'
import { decodeEntry } from '../../lib/relay/batch.ts'
import { eventually } from '../support/eventually.ts'
import { serve } from '../support/http.ts'
import { Pause } from '../support/pause.ts'
import { ENGINES, openPair, openSite, said, told, until, whole } from './site.ts'

for (const engine of ENGINES) {
  test(`${engine}: a run is cancelled from another instance, once, and its source is told`, async t => {
    const [one, other] = await openPair(t, engine)
    const starter = await one.start('a')
    const script = await one.script('a')
    script.say('1')
    await until(starter, '1')
    t.deepEqual(await Promise.all([other.cancel('a'), one.cancel('a'), other.cancel('a')]), [204, 204, 204])
    t.deepEqual(await script.stopped(), { kind: 'cancelled', reason: 'request' })
    await script.returned
    script.say('too late')
    const all = ['token 1', 'cancelled {"reason":"request"}']
    t.deepEqual(await whole(starter), all)
    t.is(await starter.closed, 'end')
    t.deepEqual(await whole(await other.follow('a')), all)
    t.is(await other.cancel('a'), 204)
    const plain = await other.plain('a')
    t.is(await plain.closed, 'cut')
    t.deepEqual(said(plain.received), ['token 1'])
    t.deepEqual(await whole(await one.start('a')), all, 'a start joins what was cancelled')
  })

  test(`${engine}: a run that has ended is not cancelled`, async t => {
    const [one, other] = await openPair(t, engine)
    const starter = await one.start('a')
    const script = await one.script('a')
    script.end()
    await starter.closed
    t.is(await other.cancel('a'), 204)
    t.deepEqual(await whole(await other.follow('a')), ['done {"reason":"end"}'])
    t.false(script.signal.aborted)
  })

  test(`${engine}: a drain interrupts runs before the streams end, and a start begins them anew`, async t => {
    const [one, other] = await openPair(t, engine)
    const starter = await one.start('a')
    const script = await one.script('a')
    script.say('1')
    const { id } = await until(starter, '1')
    const follower = await other.follow('a')
    await until(follower, '1')
    await one.hub.drain({ within: 60_000 })
    t.deepEqual(await script.stopped(), { kind: 'interrupted', reason: 'drain' })
    const all = ['token 1', 'interrupted {"reason":"drain"}']
    t.deepEqual(await whole(starter), all)
    t.deepEqual(await whole(follower), all)
    if (one === other) return
    const anew = await other.start('a', { since: id })
    const second = await other.script('a')
    second.say('2')
    second.end()
    t.deepEqual(await whole(anew), ['token 2', 'done {"reason":"end"}'])
    t.regex(told(anew.received)[0] ?? '', /^gap .*"epoch"/)
  })

  test(`${engine}: a hub that is closed at once still says the last word`, async t => {
    if (engine === 'memory') {
      t.pass('with it goes all that is known of its runs')
      return
    }
    const [one, other] = await openPair(t, engine)
    await one.start('a')
    const follower = await other.follow('a')
    await one.hub.close()
    t.deepEqual(await whole(follower), ['interrupted {"reason":"drain"}'])
  })
}

test('a source that throws, hangs or says junk fails, and is told to the operator', async t => {
  const site = await openSite(t)
  const junk: unknown[] = [
    undefined,
    null,
    'text',
    { event: 'done', data: '' },
    { event: 'cursor', data: '' },
    { data: 'x', id: '1' },
    { data: 1n },
    { data: 'x'.repeat(300_000) },
    { data: Promise.resolve(1) },
  ]
  for (const [n, event] of junk.entries()) {
    const stream = await site.start(String(n))
    const script = await site.script(String(n))
    script.say('1')
    script.yield(event)
    t.deepEqual(await whole(stream), ['token 1', 'failed {"reason":"error"}'], String(n))
    await script.returned
  }
  t.deepEqual(
    site.faults.map(({ during }) => during),
    junk.map(() => 'run'),
  )
})

test('what `run` answers instead of a source fails, too', async t => {
  const answers: (() => unknown)[] = [
    () => undefined,
    () => [{ data: 'x' }],
    () => Promise.reject(new Error('no model')),
    () => {
      throw new Error('no model')
    },
    () => ({ [Symbol.asyncIterator]: () => undefined }),
    () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve(undefined) }) }),
  ]
  let answer: () => unknown = () => undefined
  const site = await openSite(t, { start: { run: () => answer() as never } })
  for (const [n, given] of answers.entries()) {
    answer = given
    t.deepEqual(await whole(await site.start(String(n))), ['failed {"reason":"error"}'], String(n))
  }
  t.is(site.faults.length, answers.length)
})

test('a source that hangs is stopped when `keep` is over, and one that will not be returned from keeps nobody', async t => {
  const site = await openSite(t, { relay: { keep: 5_000 } })
  const stream = await site.start('a')
  const script = await site.script('a')
  script.say('1')
  t.deepEqual(await script.stopped(), { kind: 'failed', reason: 'time' })
  t.deepEqual(await whole(stream), ['token 1', 'failed {"reason":"time"}'])
  await site.isEmpty()
})

test('an answer is gone when `keep` is over, and its id can be used again', async t => {
  const site = await openSite(t, { relay: { keep: 1_000 } })
  await site.start('a')
  const script = await site.script('a')
  script.end()
  await eventually(
    async () => (await site.follow('a', { as: 'auditor' })).status === 404,
    () => 'it is still there',
  )
  const again = await site.start('a')
  t.is(site.scripts.get('a')?.length, 2)
  ;(await site.script('a')).end()
  t.deepEqual(await whole(again), ['done {"reason":"end"}'])
})

test('runs are bounded for each identity and for the process', async t => {
  const site = await openSite(t, { relay: { limits: { identity: 2, process: 3 } } })
  const statuses = async (as: string, ...ids: string[]) => {
    const found = []
    for (const id of ids) found.push((await site.start(id, { as })).status)
    return found
  }
  t.deepEqual(await statuses('ann', 'a', 'b', 'c', 'a'), [200, 200, 429, 200])
  t.deepEqual(await statuses('bob', 'd', 'e'), [200, 503])
  const ended = once(site.hub, 'close')
  ;(await site.script('a')).end()
  await ended
  await eventually(
    async () => (await site.start('c')).status === 200,
    () => 'no place has become free',
  )
})

test('a `may` that hangs lets nobody cancel, and is told', async t => {
  const hub = createHub()
  t.teardown(() => hub.close())
  const told: string[] = []
  hub.on('fault', ({ error }) => told.push((error as Error).message))
  const cancel = relay({ hub }).cancel({
    authenticate: byName,
    id: () => 'a',
    may: () => new Promise<boolean>(() => undefined),
    limits: { timeout: 10 },
  })
  const app = new Koa()
  app.on('error', error => t.fail(String(error)))
  app.use(cancel)
  const { url } = await serve(app, t)
  const { status, headers } = await fetch(url, { method: 'DELETE', headers: { 'x-user': 'ann' } })
  t.is(status, 503)
  t.is(headers.get('retry-after'), '3')
  t.regex(told.join(), /did not answer/)
})

test('whose login ends while the id of the run is looked up begins none', async t => {
  const pause = new Pause()
  const site = await openSite(t, { start: { id: () => pause.wait().then(() => 'a') } })
  const starting = site.start('a')
  await pause.reached
  await site.hub.disconnect({ identity: 'ann' }, 'logout')
  pause.end()
  t.is((await starting).status, 401)
  await site.isEmpty()
  t.false(site.scripts.has('a'))
})

test('a cancelled run has ended as soon as the log says so, whether its answer is kept already or not', async t => {
  const broker = memoryBroker()
  const pause = new Pause()
  const set = broker.store.set.bind(broker.store)
  broker.store.set = async (...args) => {
    if (args[0].includes(':end:')) await pause.wait()
    await set(...args)
  }
  const site = await openSite(t, { hub: { broker } })
  const starter = await site.start('a')
  const script = await site.script('a')
  script.say('1')
  await until(starter, '1')
  t.is(await site.cancel('a'), 204)
  await pause.reached
  const all = ['token 1', 'cancelled {"reason":"request"}']
  t.deepEqual(await whole(starter), all)
  t.deepEqual(await whole(await site.follow('a')), all)
  t.is(await site.cancel('a'), 204)
  pause.end()
  await site.isEmpty()
})

test('a run that is on its way when the drain begins is told as interrupted, and its source is not asked', async t => {
  const broker = memoryBroker()
  const pause = new Pause()
  const set = broker.store.set.bind(broker.store)
  const names: string[] = []
  broker.store.set = async (...args) => {
    const [key, value] = args
    if (key.includes(':id:')) {
      names.push((JSON.parse(value) as { name: string }).name)
      await pause.wait()
    }
    await set(...args)
  }
  const site = await openSite(t, { hub: { broker } })
  const starting = site.start('a')
  await pause.reached
  const drained = site.hub.drain({ within: 60_000 })
  pause.end()
  await drained
  await (
    await starting
  ).closed
  const history = () => broker.read(`relay:runs:${names.join()}`, 0, 10).events.map(({ frame }) => decodeEntry(frame))
  await eventually(
    () => history().length > 0,
    () => 'nothing is told',
  )
  t.deepEqual(history(), [{ kind: 'interrupted', reason: 'drain', last: 0 }])
  t.false(site.scripts.has('a'))
})
