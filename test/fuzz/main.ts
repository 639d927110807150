/**
 * Random requests against an application with everything on: `npm run fuzz -- [requests]`, 100,000 unless told otherwise.
 * `SEED` repeats the choices of a run. Prints the answers by status, and fails for what must not happen or is left.
 */
import assert from 'node:assert/strict'
import { setTimeout } from 'node:timers/promises'
import { seedOf } from '../support/random.ts'
import { Fuzz } from './fuzz.ts'

const WARM_UP = 0.1
// What may stay: code that was compiled on the way, and the garbage collector's own accounts.
const TOLERANCE_MIB = 4

const requests = Number(process.argv[2] ?? 100_000)
const seed = seedOf(process.env)
console.log(`SEED=${seed}`)
const fuzz = new Fuzz(seed)
try {
  await run()
} finally {
  // It lives as long as its servers do, and takes for a finding what nobody catches: this script's own failure too.
  await fuzz.close()
}
assert.deepEqual(fuzz.failures, [])

async function run(): Promise<void> {
  const start = performance.now()
  await fuzz.run(Math.ceil(requests * WARM_UP))
  const before = await heap()
  await fuzz.run(Math.floor(requests * (1 - WARM_UP)))
  const after = await heap()
  report((performance.now() - start) / 1_000)
  console.log(`heap before ${before.toFixed(2)} MiB, after ${after.toFixed(2)} MiB`)
  assert.ok(after - before < TOLERANCE_MIB, 'the heap has grown')
}

function report(seconds: number): void {
  const { opened, published, gaps, closed, refused } = fuzz.stats
  console.log(`${requests} requests in ${seconds.toFixed(0)} s`)
  const answers = [...fuzz.answers].sort(([a], [b]) => a.localeCompare(b))
  console.table(
    answers.map(([status, count]) => ({
      status,
      count,
      perSecond: Math.round(count / seconds),
      share: count / requests,
    })),
  )
  console.log({ opened, published, gaps, closed, refused, atTheServer: Object.fromEntries(fuzz.statuses) })
}

async function heap(): Promise<number> {
  assert.ok(globalThis.gc, 'run it with --expose-gc')
  // What the sockets' handles hold is let go of over some turns of the event loop.
  for (let i = 0; i < 5; i += 1) {
    globalThis.gc()
    await setTimeout(50)
  }
  return process.memoryUsage().heapUsed / 1_048_576
}
