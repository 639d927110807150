import test, { type ExecutionContext } from 'ava'
import Koa, { type Context, type Middleware } from 'koa'
import { createHub, eventStream, sessionCookie } from 'koa-event-stream'
import session, { type CreateSessionOptions } from 'koa-session'
import { CountingStore } from '../auth/session/site.ts'
import { serve } from '../support/http.ts'
import { listen } from '../support/hub-events.ts'
import { Visitor } from '../support/visitor.ts'

interface Mounting {
  readonly session?: CreateSessionOptions
  readonly isBehind?: boolean
  readonly identify?: (data: { userId?: string }) => { id: string } | undefined
}

/** A site whose stream is mounted before koa-session, or behind it, and what Koa was told of. */
async function openMounted(t: ExecutionContext, { session: options = {}, isBehind = false, identify }: Mounting) {
  const hub = createHub()
  const store = new CountingStore()
  const stream = eventStream({
    hub,
    authenticate: sessionCookie({
      identify: identify ?? (({ userId }) => (userId === undefined ? undefined : { id: userId })),
    }),
    subscribe: () => 'news',
  })
  const events: Middleware = (ctx, next) => (ctx.path === '/events' ? stream(ctx) : next())
  const app = new Koa({ keys: ['a key to sign cookies with'] })
  const errors: Error[] = []
  app.on('error', error => errors.push(error))
  if (isBehind) app.use(events)
  app.use(session({ store, ...options }, app))
  app.use(async (ctx: Context, next) => {
    if (ctx.path === '/login') ctx.session.userId = ctx.query.user
    if (ctx.path === '/cart') ctx.session.cart = 1
    if (ctx.path === '/events') await next()
    else ctx.status = 200
  })
  if (!isBehind) app.use(events)
  const { url } = await serve(app, t)
  return { ...listen(hub), store, errors, url, visitor: () => new Visitor(url) }
}

test('mounted before koa-session, the stream of somebody who is logged in says what to do', async t => {
  const { visitor, errors, refusals } = await openMounted(t, { isBehind: true })
  const ada = visitor()
  await ada.visit('/login?user=ada')
  t.is((await ada.openStream()).status, 500)
  t.regex(errors[0]?.message ?? '', /mount koa-session before eventStream\(\)/)
  t.true(errors[0] instanceof TypeError)
  t.like(refusals, [{ reason: 'unavailable', status: 500, error: { name: 'TypeError' } }])
  t.is((await visitor().openStream()).status, 401, 'a visitor without a session is nobody')
})

test('the same with a key of its own making', async t => {
  const externalKey = {
    get: (ctx: Context) => ctx.cookies.get('own') ?? '',
    set: (ctx: Context, value: string) => void ctx.cookies.set('own', value),
  }
  const { visitor, errors } = await openMounted(t, { isBehind: true, session: { externalKey } })
  const ada = visitor()
  await ada.visit('/login?user=ada')
  t.is((await ada.openStream()).status, 500)
  t.regex(errors[0]?.message ?? '', /mount koa-session before/)
})

test('an old cookie whose session is gone is nobody, and no error', async t => {
  const { visitor, store, errors } = await openMounted(t, {})
  const ada = visitor()
  await ada.visit('/login?user=ada')
  store.sessions.clear()
  t.is((await ada.openStream()).status, 401)
  t.deepEqual(errors, [])
})

test('`signed: false` without a prefix is refused: the cookie could name any key of the store', async t => {
  const { visitor, store, errors } = await openMounted(t, { session: { signed: false } })
  store.sessions.set('somebody-elses:record', { userId: 'ceo' })
  const eve = visitor()
  eve.cookies.set('koa.sess', 'somebody-elses:record')
  t.is((await eve.openStream()).status, 500)
  t.regex(errors[0]?.message ?? '', /`signed: false` without a `prefix`.*Sign the cookie/)
})

test('`signed: false` with a prefix opens sessions, and nothing else of the store', async t => {
  const { visitor, store, errors } = await openMounted(t, { session: { signed: false, prefix: 'session:' } })
  store.sessions.set('somebody-elses:record', { userId: 'ceo' })
  const eve = visitor()
  eve.cookies.set('koa.sess', 'somebody-elses:record')
  t.is((await eve.openStream()).status, 401)
  const ada = visitor()
  await ada.visit('/login?user=ada')
  t.is((await ada.openStream()).status, 200)
  t.deepEqual(errors, [])
})

test('a missing user made a string is no user', async t => {
  for (const id of ['undefined', 'null', 'NaN', '[object Object]']) {
    const { visitor, errors } = await openMounted(t, { identify: () => ({ id }) })
    const anonymous = visitor()
    await anonymous.visit('/cart')
    t.is((await anonymous.openStream()).status, 500, id)
    t.true(errors[0]?.message.includes(`'${id}'`))
    t.regex(errors[0]?.message ?? '', /`identify` must return a falsy value if nobody is logged in/)
  }
})
