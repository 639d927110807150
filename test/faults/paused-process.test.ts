// A process that was stopped for longer than a client may read nothing must not take that for the client's fault.
import { setImmediate as turn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { openEndpoint, REQUEST } from '../koa/endpoint.ts'
import { beBusy } from '../support/busy.ts'
import { eventually } from '../support/eventually.ts'

const STALL = 2_000
const EVENT = 'x'.repeat(200_000)
/** More than the kernel takes at once. */
const EVENTS = 40

/** A client in a thread of its own, which begins to read when it is told to and then reads on. */
const READER = `
  const { parentPort, workerData } = require('node:worker_threads')
  const socket = require('node:net').connect(workerData.port, '127.0.0.1', () => socket.write(workerData.request))
  let bytes = 0
  socket.on('data', chunk => {
    bytes += chunk.length
    if (bytes > workerData.bytes) parentPort.postMessage('all')
  })
  socket.on('close', () => parentPort.postMessage('closed'))
  socket.on('error', () => undefined)
  socket.pause()
  parentPort.once('message', () => setTimeout(() => socket.resume(), 200))
`

test('a client that reads while the process is stopped is not cut as slow when the process goes on', async t => {
  const { hub, port, story } = await openEndpoint(t, { buffer: { bytes: 20_000_000, stall: STALL } })
  const reader = new Worker(READER, {
    eval: true,
    workerData: { port, request: REQUEST, bytes: EVENT.length * EVENTS },
  })
  t.teardown(() => reader.terminate())
  const outcome = new Promise(resolve => reader.once('message', resolve))
  await eventually(
    () => hub.stats().streams === 1,
    () => 'the stream is not open',
  )
  for (let n = 0; n < EVENTS; n += 1) await hub.publish('news', { data: EVENT })
  await eventually(
    () => hub.stats().bufferedBytes > 0,
    () => 'nothing waits for the client',
  )
  reader.postMessage('read')
  // The timers are next, before anything is read.
  await turn()
  beBusy(STALL * 2)
  t.is(await outcome, 'all')
  t.deepEqual(story, ['open'])
})
