import test from 'ava'
import { Pause } from '../support/pause.ts'
import { ENGINES, openPair, openSite, said, told, until, whole } from './site.ts'

for (const engine of ENGINES) {
  test(`${engine}: who starts a run reads it, and so does whoever follows it, up to one end`, async t => {
    const [one, other] = await openPair(t, engine)
    const starter = await one.start('a')
    t.is(starter.status, 200)
    const script = await one.script('a')
    script.say('x')
    await until(starter, 'x')
    const follower = await other.follow('a')
    await until(follower, 'x')
    script.say('y')
    script.end()
    const all = ['token x', 'token y', 'done {"reason":"end"}']
    t.deepEqual(await whole(starter), all)
    t.deepEqual(await whole(follower), all)
    t.is(await starter.closed, 'end')
    t.is(told(follower.received).at(-1), 'goaway {"reason":"done"}')
    await one.isEmpty()
    await other.isEmpty()
  })

  test(`${engine}: a run goes on without readers, and a reader comes back to where it was`, async t => {
    const [one, other] = await openPair(t, engine)
    const starter = await one.start('a')
    const script = await one.script('a')
    script.say('1', '2')
    const { id } = await until(starter, '2')
    starter.close()
    script.say('3')
    const back = await other.follow('a', { since: id })
    script.say('4')
    await until(back, '4')
    t.deepEqual(said(back.received), ['token 3', 'token 4'])
    t.false(script.signal.aborted)
    script.end()
    t.deepEqual(await whole(back), ['token 3', 'token 4', 'done {"reason":"end"}'])
  })

  test(`${engine}: a late reader gets the whole answer and its end, and 204 only at or past it`, async t => {
    const [one, other] = await openPair(t, engine)
    const starter = await one.start('a')
    const script = await one.script('a')
    script.say('1', '2')
    script.end()
    const { id: last } = await starter.next(({ event }) => event === 'done')
    await starter.closed
    const late = await other.follow('a')
    t.deepEqual(await whole(late), ['token 1', 'token 2', 'done {"reason":"end"}'])
    const [first, second] = late.received.filter(({ event }) => event === 'token')
    t.deepEqual(await whole(await other.follow('a', { since: first?.id })), ['token 2', 'done {"reason":"end"}'])
    t.deepEqual(await whole(await other.follow('a', { since: second?.id })), ['done {"reason":"end"}'])
    t.is((await other.follow('a', { since: last })).status, 204)
    t.is((await other.follow('a', { since: '~done' })).status, 204)
    t.deepEqual(await whole(await other.start('a')), ['token 1', 'token 2', 'done {"reason":"end"}'])
    t.is(one.scripts.get('a')?.length, 1)
  })

  test(`${engine}: plain, a run has its own events and nothing else`, async t => {
    const [one, other] = await openPair(t, engine)
    await one.start('a')
    const script = await one.script('a')
    script.say('1')
    const plain = await other.plain('a')
    const { id } = await until(plain, '1')
    script.say('2')
    const back = await one.plain('a', { since: id })
    script.end()
    t.is(await plain.closed, 'end')
    t.deepEqual(told(plain.received), ['token 1', 'token 2'])
    t.is(await back.closed, 'end')
    t.deepEqual(told(back.received), ['token 2'])
    t.is((await other.plain('a', { since: back.received.at(-1)?.id })).status, 204)
    t.deepEqual(await whole(await other.plain('a')), ['token 1', 'token 2'])
  })

  test(`${engine}: a run that fails cuts plain readers off, so that it cannot be taken for whole`, async t => {
    const [one, other] = await openPair(t, engine)
    const starter = await one.start('a')
    const script = await one.script('a')
    script.say('1')
    const plain = await other.plain('a')
    await until(plain, '1')
    script.throw(new Error('the model has hung up'))
    t.is(await plain.closed, 'cut')
    t.deepEqual(told(plain.received), ['token 1'])
    t.deepEqual(await whole(starter), ['token 1', 'failed {"reason":"error"}'])
    t.deepEqual(
      one.faults.map(({ during, error }) => `${during}: ${(error as Error).message}`),
      ['run: the model has hung up'],
    )
  })

  test(`${engine}: a reader without the right gets 403 at any id, and a stranger 401`, async t => {
    const [one, other] = await openPair(t, engine)
    const starter = await one.start('a')
    const bob = { as: 'bob' }
    for (const id of ['a', 'b']) {
      t.is((await other.follow(id, bob)).status, 403)
      t.is((await other.plain(id, bob)).status, 403)
      t.is(await other.cancel(id, bob), 403)
    }
    t.is((await other.start('a', bob)).status, 403)
    t.is((await other.follow('a', { as: '' })).status, 401)
    t.is(await other.cancel('a', { as: '' }), 401)
    const auditor = { as: 'auditor' }
    t.is((await other.follow('b', auditor)).status, 404)
    t.is(await other.cancel('b', auditor), 404)
    const script = await one.script('a')
    script.say('1')
    script.end()
    const { id } = await until(starter, '1')
    await starter.closed
    t.is((await other.follow('a', { ...bob, since: id })).status, 403)
    t.is((await other.follow('a', { ...auditor, since: id })).status, 200)
  })

  test(`${engine}: of many starts at once, on any instance, one begins the run and all read it`, async t => {
    const [one, other] = await openPair(t, engine)
    const streams = await Promise.all(Array.from({ length: 8 }, (_, n) => (n % 2 === 0 ? one : other).start('a')))
    const begun = [...(one.scripts.get('a') ?? []), ...(one === other ? [] : (other.scripts.get('a') ?? []))]
    t.is(begun.length, 1)
    begun[0]?.say('1')
    begun[0]?.end()
    for (const stream of streams) t.deepEqual(await whole(stream), ['token 1', 'done {"reason":"end"}'])
  })
}

test('topics for all streams of an identity are not for the readers of its runs, before their first event and while they are let in', async t => {
  const pause = new Pause()
  const site = await openSite(t, {
    start: {
      id: async ctx => {
        if (ctx.params.id === 'b') await pause.wait()
        return String(ctx.params.id)
      },
    },
  })
  const readers = [await site.start('a'), await site.plain('a')]
  const opening = site.start('b')
  await pause.reached
  await site.hub.subscribe({ identity: 'ann' }, 'room')
  pause.end()
  readers.push(await opening)
  await site.hub.publish('room', { data: 'for others' })
  for (const id of ['a', 'b']) {
    const script = await site.script(id)
    script.say('1')
    script.end()
  }
  const all = ['token 1', 'done {"reason":"end"}']
  t.deepEqual(await Promise.all(readers.map(whole)), [all, all.slice(0, 1), all])
  t.deepEqual(site.faults, [])
})
