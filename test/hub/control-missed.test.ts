import test from 'ava'
import { memoryBroker, type Broker, type Identity } from 'koa-event-stream'
import { Deferred } from '../support/deferred.ts'
import { eventually } from '../support/eventually.ts'
import { Pause } from '../support/pause.ts'
import { arrival, openSite } from './site.ts'

/** An engine that tells, when the test says so, that messages of other instances may have been missed. */
function forgetful(): { broker: Broker; missed: () => void; asked: Deferred<undefined> } {
  const broker = memoryBroker()
  const { listen, load } = { listen: broker.listen.bind(broker), load: broker.load.bind(broker) }
  const asked = new Deferred<undefined>()
  let missed = (): void => {}
  broker.listen = listener => {
    missed = () => listener.controlMissed?.()
    listen(listener)
  }
  broker.load = async (topics, since) => {
    if (topics.includes('slow')) await asked.promise
    await load(topics, since)
  }
  return { broker, missed: () => missed(), asked }
}

const withToken = (id: string): Partial<Identity> => (id === 'token' ? { token: 't' } : {})

test('where log-outs may have been missed, what cannot be asked is ended, and nobody without a login', async t => {
  const { broker, missed } = forgetful()
  const site = await openSite(t, { hub: { broker }, identify: withToken })
  const streams = [await site.open('a', 'user=ada'), await site.open('a', 'user=token')]
  for (const stream of streams) await arrival(stream)
  missed()
  for (const stream of streams) {
    const { data } = await stream.next(({ event }) => event === 'goaway')
    t.is(data, '{"reason":"unverifiable"}')
  }
})

test('where log-outs may have been missed, sessions are asked again, and only those end that are over', async t => {
  const { broker, missed } = forgetful()
  const over = new Set<string>()
  const revalidation = { interval: 600_000, grace: 60_000, holds: async ({ id }: Identity) => !over.has(id) }
  const site = await openSite(t, { hub: { broker }, revalidation })
  const streams = { ada: await site.open('a', 'user=ada'), bob: await site.open('a', 'user=bob') }
  for (const stream of Object.values(streams)) await arrival(stream)
  over.add('bob')
  missed()
  site.clock.advance(3_000)
  const { data } = await streams.bob.next(({ event }) => event === 'goaway')
  t.is(data, '{"reason":"logout"}')
  await site.publish('a', 'still here')
  await streams.ada.next(event => event.data === 'still here')
})

test('streams that are only being opened are turned away, whatever their login: who comes back is asked anew', async t => {
  const { broker, missed, asked } = forgetful()
  const site = await openSite(t, { hub: { broker }, identify: withToken })
  const opening = ['ada', 'token'].map(user => site.open('slow', `user=${user}`))
  await eventually(
    () => site.streams.length === 2,
    () => 'the resolver was not asked',
  )
  missed()
  asked.resolve(undefined)
  for (const stream of await Promise.all(opening)) {
    await stream.next(({ event }) => event === 'goaway')
    t.false(stream.received.some(({ event }) => event === 'cursor'))
  }
  await arrival(await site.open('slow', 'user=token'))
})

test('so are requests that nobody has let in yet, unless their login is asked again before the stream opens', async t => {
  for (const [canAsk, first] of [
    [false, 'goaway'],
    [true, 'cursor'],
  ] as const) {
    const { broker, missed } = forgetful()
    const pause = new Pause()
    const consume = () => pause.wait()
    const site = await openSite(t, {
      hub: { broker },
      ...(canAsk && { revalidation: { interval: 600_000, grace: 60_000, holds: () => true } }),
      limits: { rate: { identity: { consume } } },
    })
    const opening = site.open('a', 'user=ada')
    await pause.reached
    missed()
    pause.end()
    const { event } = await (await opening).next(({ event }) => event === first)
    t.is(event, first)
  }
})
