import test from 'ava'
import { createHub, eventStream } from 'koa-event-stream'
import { byName } from './endpoint.ts'

const hub = createHub()
const good = { hub, authenticate: byName, subscribe: () => 'news' }
const untyped = (options: unknown) => options as typeof good

const wrong: [name: string, options: object][] = [
  ['hub', { hub: undefined }],
  ['hub', { hub: {} }],
  ['authenticate', { authenticate: undefined }],
  ['authenticate', { authenticate: null }],
  ['authenticate', { authenticate: true }],
  ['authenticate', { authenticate: [] }],
  ['authenticate', { authenticate: [byName, {}] }],
  ['authenticate', { authenticate: { ...byName, ambient: undefined } }],
  ['authenticate', { authenticate: () => ({ id: 'ann' }) }],
  ['authenticate', { authenticate: { ...byName, forget: true } }],
  ['authenticate', { authenticate: { ...byName, revalidation: {} } }],
  ['authenticate', { authenticate: { ...byName, revalidation: { interval: '1s', grace: 0, holds: () => true } } }],
  ['subscribe', { subscribe: undefined }],
  ['subscribe', { subscribe: 'news' }],
  ['heartbeat', { heartbeat: 0 }],
  ['heartbeat', { heartbeat: 999 }],
  ['heartbeat', { heartbeat: '25s' }],
  ['heartbeat', { heartbeat: true }],
  ['heartbeat', { heartbeat: null }],
  ['heartbeat', { heartbeat: { every: 1_000 } }],
  ['heartbeat', { heartbeat: { interval: 1 } }],
  ['heartbeat.event', { heartbeat: { event: 'a\nb' } }],
  ['heartbeat.event', { heartbeat: { event: 'gap' } }],
  ['heartbeat.event', { heartbeat: { event: 'error' } }],
  ['retry', { retry: 0 }],
  ['retry', { retry: 499 }],
  ['retry', { retry: 3_600_001 }],
  ['retry', { retry: 1_000.5 }],
  ['maxAge', { maxAge: 999 }],
  ['maxAge', { maxAge: Infinity }],
  ['buffer', { buffer: 65_536 }],
  ['buffer', { buffer: { size: 65_536 } }],
  ['buffer.bytes', { buffer: { bytes: 1_023 } }],
  ['buffer.policy', { buffer: { policy: 'ignore' } }],
  ['buffer.stall', { buffer: { stall: 0 } }],
  ['limits', { limits: { identities: 1 } }],
  ['limits', { limits: [] }],
  ['limits.identity', { limits: { identity: 0 } }],
  ['limits.address', { limits: { address: -1 } }],
  ['limits.process', { limits: { process: Infinity } }],
  ['limits.rate', { limits: { rate: { user: { consume: () => undefined } } } }],
  ['limits.rate.identity', { limits: { rate: { identity: {} } } }],
  ['limits.rate.address', { limits: { rate: { address: () => undefined } } }],
  ['limits.shared', { limits: { shared: 20 } }],
  ['limits.shared', { limits: { shared: { address: 20 } } }],
  ['limits.shared.identity', { limits: { shared: { identity: 0 } } }],
  ['limits.buffered', { limits: { buffered: 1_048_575 } }],
  ['limits.buffered', { limits: { buffered: Infinity } }],
  ['limits.topics', { limits: { topics: '5' } }],
  ['limits.timeout', { limits: { timeout: 0 } }],
  ['origins', { origins: ['*'] }],
  ['origins', { origins: ['null'] }],
  ['origins', { origins: ['https://*.example.com'] }],
  ['origins', { origins: ['https://app.example.com/path'] }],
  ['origins', { origins: ['https://user@app.example.com'] }],
  ['origins', { origins: ['app.example.com'] }],
  ['origins', { origins: [7] }],
  ['origins', { origins: 'https://app.example.com' }],
  ['requireSecure', { requireSecure: 'yes' }],
  ['overload', { overload: 'drop' }],
  ['overload', { overload: false }],
  ['heartBeat', { heartBeat: 1_000 }],
]

for (const [name, options] of wrong) {
  test(`${name} is named when it is wrong: ${describe(options)}`, t => {
    t.throws(() => eventStream(untyped({ ...good, ...options })), {
      instanceOf: TypeError,
      message: new RegExp(`\`${name.replace('.', '\\.')}\``),
    })
  })
}

test('what is left out, and every documented value, is accepted', t => {
  t.notThrows(() => {
    eventStream(good)
    eventStream({ ...good, authenticate: [byName, byName] })
    eventStream({ hub, authenticate: false, subscribe: () => null })
    eventStream({
      ...good,
      heartbeat: { interval: 1_000, event: 'beat' },
      retry: 500,
      maxAge: 1_000,
      buffer: { bytes: 1_024, policy: 'disconnect', stall: 1_000 },
      limits: { identity: 1, address: 1, process: 1, topics: 1, timeout: 1 },
      origins: ['https://app.example.com', 'http://localhost:8080/'],
      overload: 'reject',
    })
    eventStream({ ...good, heartbeat: false })
    eventStream({ ...good, heartbeat: { event: 'heartbeat' }, limits: { buffered: 1_048_576 } })
    eventStream({ ...good, overload: () => 'reject' })
  })
})

test('a given `maxEventBytes` has to fit into the buffer; by default it may be more', t => {
  const given = createHub({ maxEventBytes: 2_000 })
  t.throws(() => eventStream({ ...good, hub: given, buffer: { bytes: 1_999 } }), {
    instanceOf: TypeError,
    message: /`maxEventBytes`.*2000.*`buffer.bytes`.*1999/,
  })
  t.throws(() => eventStream({ ...good, hub: createHub({ maxEventBytes: 1_048_577 }) }), { instanceOf: TypeError })
  t.notThrows(() => eventStream({ ...good, hub: given, buffer: { bytes: 2_000 } }))
  t.notThrows(() => eventStream({ ...good, buffer: { bytes: 1_024 } }))
})

test('no options, or options that are no object, are refused', t => {
  for (const options of [undefined, null, 'x', []]) {
    t.throws(() => eventStream(untyped(options)), { instanceOf: TypeError, message: /`eventStream`/ })
  }
})

function describe(options: object): string {
  return JSON.stringify(options, (_, value: unknown) =>
    value === undefined || typeof value === 'function' || value === Infinity ? String(value) : value,
  )
}
