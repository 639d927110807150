import { once } from 'node:events'
import test from 'ava'
import Koa from 'koa'
import { sessionCookie } from '../../../lib/auth/session/session-cookie.ts'
import { serve } from '../../support/http.ts'
import { whoAmI } from '../who-am-i.ts'

const identify = () => undefined

test('a wrong option is an error at start-up that names it', t => {
  const wrong: [string, Record<string, unknown>][] = [
    ['identify', {}],
    ['identify', { identify: 'userId' }],
    ['revalidate', { identify, revalidate: 0 }],
    ['revalidate', { identify, revalidate: '30s' }],
    ['grace', { identify, grace: -1 }],
    ['timeout', { identify, timeout: Infinity }],
    ['realm', { identify, realm: 'a"b' }],
    ['realm', { identify, realm: 'a\r\nSet-Cookie: b' }],
    ['identity', { identify, identity: identify }],
  ]
  for (const [name, options] of wrong) {
    t.throws(() => sessionCookie(options as never), { instanceOf: TypeError, message: new RegExp(`\`${name}\``) }, name)
  }
})

test('the compiler checks what an annotated identify answers, and lets an untyped session be', t => {
  t.notThrows(() => sessionCookie({ identify: session => session.userId && { id: session.userId } }))
  t.notThrows(() =>
    sessionCookie({ identify: async (session: { user?: number }) => session.user && { id: session.user } }),
  )
  // @ts-expect-error: a holder has an `id`
  t.notThrows(() => sessionCookie({ identify: (session: { userId?: string }) => ({ userid: session.userId }) }))
})

test('it is a cookie: browsers send it of their own accord', t => {
  t.like(sessionCookie({ identify, realm: 'shop' }), {
    scheme: 'session',
    ambient: true,
    challenge: 'Cookie realm="shop"',
  })
})

test('without koa-session the error says what to mount', async t => {
  const app = new Koa()
  app.use(whoAmI(sessionCookie({ identify })))
  const failed = once(app, 'error')
  const { url } = await serve(app, t)
  t.is((await fetch(url)).status, 500)
  const [error] = await failed
  t.true(error instanceof TypeError)
  t.regex(String(error), /mount koa-session before eventStream\(\)/)
})

test('a session middleware of another make is refused', async t => {
  const app = new Koa()
  app.use((ctx, next) => {
    ctx.session = { userId: 'ada' }
    return next()
  })
  app.use(whoAmI(sessionCookie({ identify })))
  const failed = once(app, 'error')
  const { url } = await serve(app, t)
  t.is((await fetch(url)).status, 500)
  const [error] = await failed
  t.true(error instanceof TypeError)
  t.regex(String(error), /mount koa-session before eventStream\(\)/)
})
