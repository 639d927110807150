/**
 * 10,000 rounds of open and abort: `npx tsx --expose-gc test/bench/open-abort.ts [rounds]`.
 *
 * Prints what is left in the hub, and the heap before and after. Clients and server share the process, so what the
 * clients leave would show as well. Fails if anything is left.
 */
import assert from 'node:assert/strict'
import { setTimeout } from 'node:timers/promises'
import Koa from 'koa'
import { createHub, createIdentity, eventStream } from 'koa-event-stream'
import { openAndAbort } from '../faults/open-abort.ts'
import { eventually } from '../support/eventually.ts'
import { serve } from '../support/http.ts'

// What may stay: code that was compiled on the way, and the garbage collector's own accounts.
const TOLERANCE_MIB = 2
const WARM_UP = 2_000

const rounds = Number(process.argv[2] ?? 10_000)
const hub = createHub()
const app = new Koa()
app.use(
  eventStream({
    hub,
    authenticate: {
      scheme: 'any',
      challenge: 'Any',
      ambient: false,
      authenticate: () => createIdentity({ id: 'ann', scheme: 'any', session: 'key', token: 'jti' }),
    },
    subscribe: ({ id }) => ['news', `own:${id}`],
    limits: { identity: 1_000 },
  }),
)
const { port, close } = await serve(app)
const request = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'

await openAndAbort(port, request, WARM_UP)
const before = await heap()
const start = performance.now()
await openAndAbort(port, request, rounds)
const seconds = (performance.now() - start) / 1_000
const after = await heap()

const { streams, topics, identities, addresses, bufferedBytes, opened, closed } = hub.stats()
console.log(`${String(rounds)} rounds in ${seconds.toFixed(1)} s, ${String(opened)} streams opened since the start`)
console.log({ streams, topics, identities, addresses, bufferedBytes, closed: closed.client })
console.log(`heap before ${before.toFixed(2)} MiB, after ${after.toFixed(2)} MiB`)
assert.equal(streams + topics + identities + addresses + bufferedBytes, 0)
assert.equal(closed.client, opened)
assert.ok(after - before < TOLERANCE_MIB, 'the heap has grown')
await close()
await hub.close()

async function heap(): Promise<number> {
  assert.ok(globalThis.gc, 'run it with --expose-gc')
  await eventually(
    () => hub.stats().streams === 0,
    () => 'Streams are left',
  )
  // What the sockets' handles hold is let go of over some turns of the event loop.
  for (let i = 0; i < 5; i += 1) {
    globalThis.gc()
    await setTimeout(50)
  }
  return process.memoryUsage().heapUsed / 1_048_576
}
