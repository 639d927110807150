import test from 'ava'
import { openEndpoint } from './endpoint.ts'
import { overloadFor } from '../../lib/koa/overload.ts'
import { HubEngine } from '../../lib/hub/engine.ts'

const failure = new Error('a secret')

const junk: [how: string, overload: () => unknown][] = [
  [
    'throws',
    () => {
      throw failure
    },
  ],
  ['answers a promise', () => Promise.resolve('reject')],
  ['answers a promise that rejects', () => Promise.reject(failure)],
  ['answers nothing', () => undefined],
  ['answers another word', () => 'drop'],
]

for (const [how, overload] of junk) {
  test(`an \`overload\` that ${how} is a fault, and the client is postponed`, async t => {
    const { hub, story } = await openEndpoint(t)
    if (!(hub instanceof HubEngine)) throw new Error('createHub() made something else')
    t.is(overloadFor({} as never, { hub, overload: overload as never }), 'postpone')
    t.deepEqual(story, ['fault overload'])
    await new Promise(setImmediate)
  })
}

test('a word is for all, a function for each request', async t => {
  const { hub } = await openEndpoint(t)
  if (!(hub instanceof HubEngine)) throw new Error('createHub() made something else')
  t.is(overloadFor({} as never, { hub, overload: 'reject' }), 'reject')
  const overload = ({ method }: { method: string }) => (method === 'POST' ? 'reject' : 'postpone')
  t.is(overloadFor({ method: 'POST' } as never, { hub, overload }), 'reject')
  t.is(overloadFor({ method: 'GET' } as never, { hub, overload }), 'postpone')
})
