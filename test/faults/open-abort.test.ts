import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { openEndpoint, REQUEST } from '../koa/endpoint.ts'
import { onEveryKoa } from '../koa/every-koa.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { rounds } from '../support/soak.ts'
import { openAndAbort } from './open-abort.ts'

const ROUNDS = 300

onEveryKoa('streams that are opened and aborted leave nothing, and no error', async (t, Koa) => {
  const clock = new ManualClock()
  let cleanedUp = 0
  let asked = 0
  const { hub, port, isEmpty } = await openEndpoint(
    t,
    {
      subscribe: (stream, ctx) => {
        asked += 1
        if (asked % 2 === 0) return ['news', `user:${stream.identity.id}`]
        void stream.subscribe('news')
        ctx.res.once('close', () => (cleanedUp += 1))
        return undefined
      },
    },
    { Koa, hub: { clock } },
  )
  await openAndAbort(port, REQUEST, ROUNDS)
  await isEmpty()
  const { opened, closed } = hub.stats()
  t.true(opened >= ROUNDS / 2, String(opened))
  t.is(closed.client, opened)
  t.is(clock.pending, 1, 'the beat of the instance')
  t.true(cleanedUp > 0)
})

test('limits hold through opening and aborting: afterwards there is room for as many as before', async t => {
  const { hub, open, port, isEmpty } = await openEndpoint(t, {
    limits: { identity: 5, address: 5, process: 5 },
    overload: 'reject',
  })
  await openAndAbort(port, REQUEST.repeat(3), 200)
  await isEmpty()
  const statuses = []
  for (let i = 0; i < 6; i += 1) statuses.push((await open()).status)
  t.deepEqual(statuses, [200, 200, 200, 200, 200, 503])
  t.is(hub.stats().streams, 5)
})

test('many rounds of opening and aborting leave the heap where it was', async t => {
  const count = String(rounds(10_000))
  const script = fileURLToPath(new URL('../bench/open-abort.js', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', script, count])
  t.true(stdout.startsWith(`${count} rounds`))
  t.log(stdout)
})
