// A process that was busy runs its timers before it reads what Redis has answered meanwhile.
import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import { beBusy } from '../support/busy.ts'
import { startRedis } from '../support/redis-server.ts'
import { openEngine, openInstance, until } from './instance.ts'

const ROUNDS = 8
const TIMES = { timeout: 300, watchdog: 30 }

test('an answer that came while the process was busy is not late', async t => {
  const { url } = await startRedis(t)
  const { broker } = await openEngine(t, { ...TIMES, client: url })
  await broker.store.set('key', 'value', 60_000)
  for (let n = 0; n < 3; n += 1) {
    const answer = broker.store.get('key')
    // Now it has been sent.
    await turn()
    beBusy(2 * TIMES.timeout)
    t.is(await answer, 'value')
  }
})

test('Redis is not taken for lost because the process was busy, whatever it had just asked for', async t => {
  const { url } = await startRedis(t)
  const instance = await openInstance(t, { ...TIMES, client: url })
  await instance.tells('ready')
  const stream = await instance.open(['news'])
  for (let n = 0; n < ROUNDS; n += 1) {
    const published = instance.hub.publish('news', { data: String(n) })
    // Signs of life are asked for at other moments of each round.
    for (let turns = 0; turns < n; turns += 1) await turn()
    beBusy(2 * TIMES.timeout)
    await published
  }
  t.is((await until(stream, String(ROUNDS - 1))).length, ROUNDS)
  const trouble = instance.told.filter(({ name }) => name === 'lost' || name === 'fault')
  t.deepEqual(trouble, [])
})
