import { Deferred } from '../support/deferred.ts'
import { cursor, event, gap } from './scripted.ts'
import { onBoth } from './on-both.ts'
import type { Loaded, LoadReason } from 'koa-event-stream/client'

const turn = () => new Promise(setImmediate)

/** A `load` that the test answers. */
function loading() {
  const calls: { why: LoadReason; signal: AbortSignal; answer: Deferred<Loaded | undefined> }[] = []
  const load = (why: LoadReason, signal: AbortSignal) => {
    const answer = new Deferred<Loaded | undefined>()
    calls.push({ why, signal, answer })
    return answer.promise
  }
  return { calls, load }
}

onBoth(
  'events that come while the state is loaded are told after it, but for those it has',
  async (t, { world, seen, options }) => {
    const { calls, load } = loading()
    const live = world.connect('/events', { ...options, load })
    seen.listen(live)
    const peer = await world.next()
    t.is(calls.length, 0)
    peer.open()
    await seen.until('open stream')
    await turn()
    t.deepEqual(calls[0]?.why, { reason: 'start' })
    peer.send(cursor(4) + event(5) + event(6) + event(7) + event(1, 'f1', 'tick', 'f'))
    await turn()
    t.deepEqual(seen.of('tick'), [])
    seen.note('loaded')
    calls[0]?.answer.resolve({ cursor: 'e-6' })
    await seen.until('tick "f1"')
    t.deepEqual(seen.of('tick'), ['7', '"f1"'])
    live.close()
  },
)

onBoth(
  'a state that is ahead of the stream: its events are not told later either',
  async (t, { world, seen, options }) => {
    const { calls, load } = loading()
    const live = world.connect('/events', { ...options, load })
    seen.listen(live)
    const peer = await world.next()
    peer.open()
    peer.send(cursor(4))
    await seen.until('open stream')
    await turn()
    calls[0]?.answer.resolve({ cursor: 'e-6' })
    await turn()
    peer.send(event(5) + event(6) + event(7))
    await seen.until('tick 7')
    t.deepEqual(seen.of('tick'), ['7'])
    live.close()
  },
)

onBoth('a page that was rendered with its state loads it for gaps only', async (t, { world, seen, options }) => {
  const { calls, load } = loading()
  const live = world.connect('/events', { ...options, load, since: 'e-3' })
  seen.listen(live)
  const peer = await world.next()
  t.is(peer.lastEventId, 'e-3')
  peer.open()
  peer.send(event(4) + gap('trimmed', ['a']) + event(9))
  await seen.until('tick 4')
  await turn()
  t.deepEqual(
    calls.map(({ why }) => why),
    [{ reason: 'trimmed', topics: ['a'] }],
  )
  t.deepEqual(seen.of('tick'), ['4'])
  calls[0]?.answer.resolve(undefined)
  await seen.until('tick 9')
  live.close()
})

onBoth('a gap in the middle has it loaded again, for all that is missing', async (t, { world, seen, options }) => {
  const { calls, load } = loading()
  const live = world.connect('/events', { ...options, load, since: 'e-3' })
  seen.listen(live)
  const peer = await world.next()
  peer.open()
  peer.send(gap('trimmed', ['a']))
  await seen.until('open stream')
  await turn()
  peer.send(event(5) + gap('overflow', ['b', 'a']) + event(8))
  await turn()
  t.true(calls[0]?.signal.aborted)
  t.deepEqual(calls[1]?.why, { reason: 'overflow', topics: ['a', 'b'] })
  calls[0]?.answer.resolve({ cursor: 'e-100' })
  await turn()
  t.deepEqual(seen.of('tick'), [])
  calls[1]?.answer.resolve({ cursor: 'e-7' })
  await seen.until('tick 8')
  t.deepEqual(seen.of('tick'), ['8'])
  live.close()
})

onBoth('what waits of a lost life of the log is older than the state that is loaded then', async (t, bench) => {
  const { world, seen, options } = bench
  const { calls, load } = loading()
  const live = world.connect('/events', { ...options, load })
  seen.listen(live)
  const peer = await world.next()
  peer.open()
  await seen.until('open stream')
  peer.send(cursor(0) + event(1) + event(2) + 'event: tick\ndata: "no id"\n\n')
  await turn()
  peer.send(gap('epoch') + cursor(7, 25_000, 'f'))
  await turn()
  calls[1]?.answer.resolve({ cursor: 'f-7' })
  await turn()
  peer.send(event(8, 8, 'tick', 'f'))
  await seen.until('tick 8')
  t.deepEqual(seen.of('tick'), ['"no id"', '8'])
  live.close()
})

onBoth(
  'one that throws, rejects, hangs or answers junk: it is called again, and events wait',
  async (t, { world, seen, options }) => {
    let calls = 0
    const live = world.connect('/events', {
      ...options,
      load: () => {
        calls += 1
        if (calls === 1) throw new Error('threw')
        if (calls === 2) return Promise.reject(new Error('rejected'))
        if (calls === 3) return new Promise<never>(() => undefined)
        return { cursor: 5 } as never
      },
    })
    seen.listen(live)
    const peer = await world.next()
    peer.open()
    peer.send(cursor(1, null) + event(2))
    await seen.until('paused load')
    await turn()
    world.clock.advance(1)
    await turn()
    world.clock.advance(1)
    await turn()
    world.clock.advance(30_000)
    await turn()
    t.deepEqual(seen.of('tick'), [])
    world.clock.advance(1)
    await seen.until('tick 2')
    t.deepEqual(seen.of('failed:'), [
      'threw',
      'rejected',
      '`load` took more than 30 s',
      '`load` must return nothing or { cursor: string }',
    ])
    t.is(live.state, 'open')
    live.close()
  },
)

for (const place of ['onState open', 'onState load', 'onError']) {
  onBoth(`closed in ${place}, nothing is loaded any more, and the end is told once`, async (t, bench) => {
    const { world, seen, options } = bench
    let loads = 0
    const live = world.connect('/events', {
      ...options,
      load: () => {
        loads += 1
        throw new Error('failed')
      },
      onState: (state, reason) => {
        options.onState?.(state, reason)
        if (`onState ${state}` === place || `onState ${reason}` === place) live.close()
      },
      onError: () => {
        if (place === 'onError') live.close()
      },
    })
    live.addEventListener('open', () => seen.note(`event of ${live.state}`))
    const peer = await world.next()
    peer.open()
    peer.send(cursor(1))
    await seen.until('ended client')
    await turn()
    t.is(loads, place === 'onState open' ? 0 : 1)
    t.is(world.clock.pending, 0)
    t.deepEqual(seen.of('ended'), ['client'])
    t.deepEqual(seen.of('event of'), place === 'onState open' ? [] : ['open'])
  })
}

onBoth('a stream that never had a cursor is loaded for anew', async (t, { world, seen, options }) => {
  const { calls, load } = loading()
  const live = world.connect('/events', { ...options, load })
  const first = await world.next()
  first.open()
  await seen.until('open stream')
  await turn()
  calls[0]?.answer.resolve(undefined)
  await turn()
  first.end()
  await seen.until('waiting closed')
  world.clock.advance(1)
  const second = await world.next()
  second.open()
  await seen.until('open stream', 2)
  await turn()
  t.is(calls.length, 2)
  live.close()
  t.true(calls[1]?.signal.aborted)
})

onBoth('more events than may wait pause the stream, which goes on behind them', async (t, { world, seen, options }) => {
  const { calls, load } = loading()
  const live = world.connect('/events', { ...options, load })
  seen.listen(live)
  const peer = await world.next()
  peer.open()
  await seen.until('open stream')
  await turn()
  const many = Array.from({ length: 1_200 }, (_, n) => event(n + 1))
  peer.send(cursor(0) + many.slice(0, 1_100).join(''))
  await seen.until('paused slow')
  calls[0]?.answer.resolve(undefined)
  await seen.until('tick 999')
  // A response is read on; an EventSource is replaced by one that begins where that was closed.
  const next = peer.kind === 'fetch' ? peer : await world.next()
  const at = Number(next.lastEventId?.slice(2) ?? 1_100)
  if (next !== peer) next.open()
  next.send(many.slice(at).join(''))
  await seen.until('tick 1200')
  t.deepEqual(
    seen.of('tick'),
    many.map((_, n) => String(n + 1)),
  )
  live.close()
})
