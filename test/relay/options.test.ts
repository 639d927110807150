import test from 'ava'
import { createHub, type EventInput } from 'koa-event-stream'
import { relay } from 'koa-event-stream/relay'
import { byName } from '../koa/endpoint.ts'

const hub = createHub()

const WRONG: readonly (readonly [option: string, options: object])[] = [
  ['hub', { hub: {} }],
  ['nmae', { nmae: 'x' }],
  ['name', { name: '' }],
  ['name', { name: 'a:b' }],
  ['lease', { lease: 999 }],
  ['keep', { keep: 0 }],
  ['keep', { keep: 2 ** 31 - 1 }],
  ['linger', { linger: -1 }],
  ['limits', { limits: { runs: 1 } }],
  ['limits.identity', { limits: { identity: 0 } }],
  ['limits.process', { limits: { process: 1.5 } }],
  ['limits.size', { limits: { size: 1 } }],
]

for (const [option, options] of WRONG) {
  test(`relay: ${JSON.stringify(options)} is refused, and \`${option}\` is named`, t => {
    const { message } = t.throws(() => relay({ hub, ...options }), { instanceOf: TypeError })
    t.true(message.includes(`\`${option}\``), message)
  })
}

test('routes refuse what is wrong, and name it', t => {
  const { start, follow, cancel } = relay({ hub })
  const id = () => 'a'
  const run = async function* (): AsyncGenerator<EventInput> {
    yield { data: 'x' }
  }
  const may = () => true
  const wrong: readonly (readonly [option: string, make: () => unknown])[] = [
    ['authenticate', () => start({ id, run } as never)],
    ['authenticate', () => start({ authenticate: false, id, run } as never)],
    ['id', () => start({ authenticate: byName, run } as never)],
    ['run', () => start({ authenticate: byName, id } as never)],
    ['compact', () => start({ authenticate: byName, id, run, compact: 1 } as never)],
    ['subscribe', () => start({ authenticate: byName, id, run, subscribe: run } as never)],
    ['may', () => follow({ authenticate: byName } as never)],
    ['format', () => follow({ authenticate: byName, may, format: 'bare' } as never)],
    ['authenticate', () => follow({ authenticate: false, may } as never)],
    ['may', () => cancel({ authenticate: byName } as never)],
    ['authenticate', () => cancel({ authenticate: false, may } as never)],
    ['id', () => cancel({ authenticate: byName, may, id: 'a' } as never)],
  ]
  for (const [option, make] of wrong) {
    const { message } = t.throws(make, { instanceOf: TypeError }, option)
    t.true(message.includes(`\`${option}\``), message)
  }
})

test('all runs of a relay have one `compact`', t => {
  const { start } = relay({ hub })
  const options = {
    authenticate: byName,
    id: () => 'a',
    run: async function* (): AsyncGenerator<EventInput> {
      yield { data: 'x' }
    },
  }
  const compact = () => ({ data: 'x' })
  start({ ...options, compact })
  t.notThrows(() => start({ ...options, compact }))
  t.throws(() => start({ ...options, compact: () => ({ data: 'y' }) }), { instanceOf: TypeError, message: /`compact`/ })
})
