import test from 'ava'
import type { EventStream } from 'koa-event-stream'
import { measure, openSite } from './site.ts'

// Eve can publish to `news`, and sees on the network how many bytes go to ann.
const SECRET = 'token=f3a91c77d2e84b06'
const WRONG = 'token=0b5d8e2299c1467a'

/** Bytes that are stored as they are, in a block: its head is all that they become longer by. */
const BLOCK_HEAD = 5

for (const http2 of [false, true]) {
  const http = `HTTP/${http2 ? '2' : '1.1'}`

  test(`over ${http} what one person alone is sent has the same length whatever others have sent`, async t => {
    const streams = new Map<string, EventStream>()
    const subscribe = (stream: EventStream) => {
      const { id } = stream.identity
      streams.set(id, stream)
      return ['news', `user:${id}`, { topic: `state:${id}`, snapshot: () => [{ event: 'state', data: SECRET }] }]
    }
    const { hub, open } = await openSite(t, { subscribe }, { http2 })
    // With two tabs of hers, her topics have two streams, and one person.
    const [ann, tab, eve] = [await open('ann'), await open('ann'), await open('eve')]
    const both = (text: string) => text.split(SECRET).length > 1
    for (const guess of [WRONG, SECRET]) {
      for (let n = 0; n < 3; n += 1)
        await measure(
          eve,
          () => hub.publish('news', { data: guess }),
          all => all.includes(guess),
        )
      await Promise.all([ann, tab].map(client => client.shows(guess)))
      const own = await measure(tab, () => streams.get('ann')?.send({ data: SECRET }), both)
      const topic = await measure(tab, () => hub.publish('user:ann', { data: SECRET }), both)
      t.is(own.wire, own.text + BLOCK_HEAD, guess)
      t.is(topic.wire, topic.text + BLOCK_HEAD, guess)
      // In one turn with the guess.
      const turn = await measure(
        tab,
        () => Promise.all([hub.publish('news', { data: guess }), hub.publish('user:ann', { data: SECRET })]),
        text => text.includes(`data: ${guess}`) && text.lastIndexOf(SECRET) > text.indexOf(`data: ${guess}`),
      )
      t.is(turn.wire, turn.text + BLOCK_HEAD, guess)
    }
    // What comes first holds her state, and what comes back what she has missed.
    const id = await hub.publish('news', { data: SECRET })
    await hub.publish('user:ann', { data: SECRET })
    const newcomer = await open('ann')
    t.true(newcomer.text.includes('event: state'))
    const resumed = await open('ann', { headers: { 'last-event-id': id } })
    t.true(resumed.text.includes(SECRET))
    for (const { text, wireBytes } of [newcomer, resumed]) t.true(wireBytes > Buffer.byteLength(text))
    await hub.drain()
    const all = [ann, tab, eve, newcomer, resumed]
    t.deepEqual(new Set(await Promise.all(all.map(({ closed }) => closed))), new Set(['end']))
  })
}

test('a topic that only one person has left is stored, and what several have is told by its length', async t => {
  const { hub, open } = await openSite(t, { subscribe: () => ['news', 'room'] })
  const [ann, bob] = [await open('ann'), await open('bob')]
  const next = (data: string) =>
    measure(
      ann,
      () => hub.publish('room', { data }),
      text => text.includes(data),
    )
  for (let n = 0; n < 5; n += 1) await next(SECRET)
  const [wrong, right] = [await next(WRONG), await next(SECRET)]
  t.true(right.wire < wrong.wire, 'or else the tests above could not fail')
  bob.close()
  while (hub.stats().streams > 1) await new Promise(setImmediate)
  const alone = await next(SECRET)
  t.is(alone.wire, alone.text + BLOCK_HEAD)
  await hub.drain()
  t.is(await ann.closed, 'end')
})
