import test from 'ava'
import { setImmediate as turn } from 'node:timers/promises'
import { memoryBroker, type ConflatedEvent } from 'koa-event-stream'
import { systemClock } from '../../lib/clock.ts'
import { openEndpoint } from '../koa/endpoint.ts'
import { eventually } from '../support/eventually.ts'
import { openStream } from '../support/http.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'

const PADDING = 'x'.repeat(100_000)

test('what slow clients have missed is looked at over many turns, and each event once for all of them', async t => {
  let asked = 0
  let [inTurn, most] = [0, 0]
  let counting = true
  const nextTurn = () => {
    most = Math.max(most, inTurn)
    inTurn = 0
    if (counting) setImmediate(nextTurn)
  }
  const key = ({ data }: ConflatedEvent) => {
    asked += 1
    inTurn += 1
    return data.slice(-1)
  }
  const broker = memoryBroker({ history: { bytes: 1_000_000_000, count: 100_000 } })
  const { hub, port } = await openEndpoint(
    t,
    {
      heartbeat: false,
      buffer: { bytes: 300_000, policy: 'conflate', key },
      subscribe: stream => (stream.identity.id === 'x' ? 'quiet' : 'news'),
    },
    { hub: { broker, clock: systemClock } },
  )
  const way = await openTcpProxy(port, t)
  const clients = [1, 2, 3].map(n => openStream(way.url, { headers: { 'x-user': `user ${n}` } }))
  const streams = await Promise.all(clients)
  for (const stream of streams) await stream.next(({ event }) => event === 'cursor')
  way.hold()
  for (let full = 0; full < 50; full += Number(hub.stats().bufferedBytes > 3 * 130_000)) {
    await hub.publish('news', { data: PADDING })
    await turn()
  }
  const before = asked
  for (let n = 0; n < 2_000; n += 1) await hub.publish('news', { data: `small ${n}` })
  const last = await hub.publish('news', { data: 'end' })
  setImmediate(nextTurn)
  way.mend()
  for (const stream of streams) await stream.next(({ id }) => id === last)
  counting = false
  t.true(asked - before >= 2_000, 'It was looked at')
  t.true(asked - before <= 2_100 + 400, `asked ${asked - before} times`)
  t.true(most <= 3 * 128, `${most} in one turn`)
  for (const stream of streams) {
    const small = stream.received.filter(({ data }) => data.startsWith('small '))
    t.true(small.length <= 20, `${small.length} of one key`)
  }
  await eventually(
    () => hub.stats().bufferedBytes === 0,
    () => 'something waits',
  )
})
