import { once, type EventEmitter } from 'node:events'
import test from 'ava'
import { createHub, type HubEvents } from 'koa-event-stream'
import { HubEngine } from '../../lib/hub/engine.ts'
import { eventually } from '../support/eventually.ts'

const failure = new Error('a secret')
const turn = () => new Promise(setImmediate)

interface Warning extends Error {
  readonly code: string
}

// They are expected here, and Node need not print them.
process.removeAllListeners('warning')

// One process, so that each test looks at the warnings that its own hubs have caused.
const warnings: Warning[] = []
process.on('warning', warning => {
  if (warning.name === 'KoaEventStreamWarning') warnings.push(warning as Warning)
})

async function warned(count: number): Promise<Warning[]> {
  await eventually(
    () => warnings.length >= count,
    () => `${String(warnings.length)} warnings`,
  )
  await turn()
  return warnings.splice(0)
}

function engine(): HubEngine {
  const hub: unknown = createHub()
  if (hub instanceof HubEngine) return hub
  throw new Error('createHub() made something else')
}

const stream = { id: '1', identity: undefined }

const ways: [how: string, listener: () => unknown][] = [
  [
    'throws',
    () => {
      throw failure
    },
  ],
  ['rejects', () => Promise.reject(failure)],
  [
    'answers a hostile thenable',
    () => ({
      get then(): never {
        throw failure
      },
    }),
  ],
]

for (const [how, listener] of ways) {
  test.serial(`a listener that ${how} is a fault, and the listeners after it are called`, async t => {
    const hub = engine()
    const faults: HubEvents['fault'][0][] = []
    let heard = 0
    hub.on('fault', fault => faults.push(fault))
    hub.once('drain', listener)
    hub.on('drain', () => (heard += 1))
    t.true(hub.emit('drain', { streams: 0 }))
    t.is(heard, 1)
    await turn()
    t.deepEqual(faults, [{ during: 'listener of `drain`', error: failure }])
    // It was to be called once.
    hub.emit('drain', { streams: 0 })
    await turn()
    t.is(faults.length, 1)
    t.deepEqual(warnings, [])
  })

  test.serial(`a listener of \`fault\` that ${how} is one warning of the process`, async t => {
    const hub = engine()
    hub.on('fault', listener)
    for (let n = 0; n < 3; n += 1) hub.failed('source', new Error('x'))
    const [warning, ...others] = await warned(1)
    t.deepEqual(others, [])
    t.is(warning?.code, 'FAULT_LISTENER')
    t.notRegex(String(warning), /secret/)
  })
}

test.serial('news that nobody hears is a warning, once a hub and kind, that says what to do and no secret', async t => {
  const error = Object.assign(new Error('redis://:secret@host'), { code: 'ECONNREFUSED' })
  for (const hub of [engine(), engine()]) {
    for (let n = 0; n < 3; n += 1) {
      hub.failed('source', failure)
      hub.readiness(false, error)
      hub.refused('resolver', 500, failure)
      hub.refused('draining', 200)
      hub.told(stream, { topics: ['a'], reason: 'trimmed' })
    }
  }
  const texts = (await warned(6)).map(({ code, message }) => `${code}: ${message}`)
  t.is(texts.length, 6)
  t.deepEqual(texts.slice(0, 3), [
    `UNHEARD_FAULT: something failed during "source" (Error), but 'fault' has no listener: add hub.on('fault', …). This warning is shown once.`,
    `UNHEARD_LOST: the broker is unavailable (ECONNREFUSED), but 'lost' has no listener: add hub.on('lost', …). This warning is shown once.`,
    `UNHEARD_REFUSE: a request was refused ("resolver", status 500), but 'refuse' has no listener: add hub.on('refuse', …). This warning is shown once.`,
  ])
})

test.serial('whoever listens gets no warning', async t => {
  const hub = engine()
  for (const name of ['fault', 'lost', 'refuse'] as const) hub.on(name, () => undefined)
  hub.failed('source', failure)
  hub.readiness(false, failure)
  hub.refused('resolver', 500)
  await turn()
  await turn()
  t.deepEqual(warnings, [])
})

test.serial(
  'a hub is an emitter like any other: once(), its meta events, names of its application, errors',
  async t => {
    const hub = createHub()
    // As an application sees it that uses it for events of its own.
    const emitter = hub as unknown as EventEmitter
    const added: unknown[] = []
    emitter.on('newListener', name => added.push(name))
    const waiting = once(hub, 'drain')
    t.true(added.includes('drain'))
    await hub.close()
    t.deepEqual(await waiting, [{ streams: 0 }])
    const own: unknown[] = []
    emitter.on('own', (...args: unknown[]) => own.push(...args))
    t.true(emitter.emit('own', 1, 2))
    t.deepEqual(own, [1, 2])
    t.false(emitter.emit('other'))
    t.is(
      t.throws(() => emitter.emit('error', failure)),
      failure,
    )
  },
)
