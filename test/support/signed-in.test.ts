import test from 'ava'
import { signedIn } from 'koa-event-stream/testing'

test.serial('it believes every request, so it is refused in production', t => {
  const { NODE_ENV } = process.env
  t.teardown(() => {
    if (NODE_ENV === undefined) delete process.env.NODE_ENV
    else process.env.NODE_ENV = NODE_ENV
  })
  process.env.NODE_ENV = 'production'
  t.throws(() => signedIn({ id: 'ada' }), { instanceOf: TypeError, message: /signedIn\(\).*`authenticate`/ })
  process.env.NODE_ENV = 'test'
  t.notThrows(() => signedIn({ id: 'ada' }))
})
