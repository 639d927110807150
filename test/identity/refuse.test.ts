// The `refuse` function of `requireIdentity()`, and every way in which it can fail.
import { Readable } from 'node:stream'
import test from 'ava'
import Koa, { type Context } from 'koa'
import { createHub, requireIdentity } from 'koa-event-stream'
import { identify } from '../session/site.ts'
import { Deferred } from '../support/deferred.ts'
import { listen } from '../support/hub-events.ts'
import { openHttp2Stream, serveHttp2 } from '../support/http.ts'
import { openSite } from './site.ts'

test('a refusal can be a way to the login page, for those who see pages', async t => {
  const { ask, refusals } = await openSite(t, {
    guard: {
      refuse: async (ctx, { status }) => {
        await Promise.resolve()
        if (status === 401 && ctx.accepts('html')) ctx.redirect('/login')
      },
    },
  })
  const page = await ask()
  t.is(page.status, 302)
  t.like(page.headers, { location: '/login', 'cache-control': 'no-store' })
  t.is(page.headers['www-authenticate'], undefined)
  const other = await ask({ accept: 'application/json' })
  t.is(other.status, 401)
  t.is(await other.text(), 'Unauthorized')
  t.is((await ask({ authorization: 'Bearer' })).status, 400)
  t.deepEqual(
    refusals.map(({ reason, status }) => `${reason} ${status}`),
    ['unauthenticated 401', 'unauthenticated 401', 'unauthenticated 400'],
  )
})

test('a refusal can be a page, with the status of the refusal and its challenges', async t => {
  const { ask } = await openSite(t, {
    guard: {
      refuse: (ctx, { reason, status }) => {
        ctx.body = { reason, status }
      },
    },
  })
  const answer = await ask()
  t.is(answer.status, 401)
  t.is(answer.headers['www-authenticate'], 'Bearer realm="events", Cookie realm="events"')
  t.is(answer.headers['content-type'], 'application/json; charset=utf-8')
  t.deepEqual(JSON.parse(await answer.text()), { reason: 'unauthenticated', status: 401 })
})

test('where it throws or rejects: the ordinary refusal, and a fault', async t => {
  for (const how of ['throws', 'rejects'] as const) {
    const { ask, faults, errors } = await openSite(t, {
      guard: {
        refuse: ctx => {
          ctx.redirect('/login')
          if (how === 'throws') throw new Error('no template')
          return Promise.reject(new Error('no template'))
        },
      },
    })
    const answer = await ask()
    t.is(answer.status, 401)
    t.is(answer.headers.location, undefined)
    t.is(await answer.text(), 'Unauthorized')
    t.is(answer.headers['content-type'], 'text/plain; charset=utf-8')
    t.like(faults, [{ during: 'refuse', error: { message: 'no template' } }])
    t.deepEqual(errors, [])
  }
})

test('where it throws, nothing of what it has set stays, and what others have set does', async t => {
  for (const set of [
    ctx => ctx.set({ 'Content-Encoding': 'gzip', Refresh: '0; url=https://idp.example/' }),
    ctx => ctx.set('Transfer-Encoding', 'chunked'),
    ctx => ctx.cookies.set('state', 'x'),
    ctx => ctx.attachment('a.pdf'),
    ctx => (ctx.message = 'Go away'),
    ctx => (ctx.body = Readable.from(['x'])),
  ] as ((ctx: Context) => unknown)[]) {
    const { ask, faults, errors } = await openSite(t, {
      outer: [
        async (ctx, next) => {
          ctx.set('X-Before', 'outer')
          await next()
        },
      ],
      guard: {
        refuse: ctx => {
          ctx.set('X-Before', 'refuse')
          set(ctx)
          throw new Error('no template')
        },
      },
    })
    const answer = await ask()
    t.is(answer.status, 401)
    t.is(await answer.text(), 'Unauthorized')
    t.deepEqual(
      Object.keys(answer.headers).sort(),
      [
        'cache-control',
        'connection',
        'content-length',
        'content-type',
        'date',
        'keep-alive',
        'www-authenticate',
        'x-before',
      ].filter(name => name in answer.headers),
    )
    t.is(answer.headers['x-before'], 'outer')
    t.is(faults.length, 1)
    t.deepEqual(errors, [])
  }
})

test('it gets the context of the request itself', async t => {
  const contexts: Context[] = []
  const { ask } = await openSite(t, {
    outer: [
      async (ctx, next) => {
        contexts.push(ctx)
        await next()
      },
    ],
    guard: {
      refuse: ctx => {
        contexts.push(ctx, ctx.request.ctx, ctx.response.ctx)
        ctx.body = 'no'
      },
    },
  })
  t.is(await (await ask()).text(), 'no')
  t.is(contexts.length, 4)
  t.is(new Set(contexts).size, 1)
})

test('what it has set before its time is over does not stay', async t => {
  const asked = new Deferred<void>()
  const { ask, clock, faults } = await openSite(t, {
    guard: {
      limits: { timeout: 1_000 },
      refuse: ctx => {
        ctx.redirect('/login')
        ctx.cookies.set('state', 'x')
        asked.resolve()
        return new Promise(() => undefined)
      },
    },
  })
  const asking = ask()
  await asked.promise
  clock.advance(1_000)
  const answer = await asking
  t.is(answer.status, 401)
  t.is(await answer.text(), 'Unauthorized')
  t.is(answer.headers.location, undefined)
  t.is(answer.headers['set-cookie'], undefined)
  t.is(faults.length, 1)
})

for (const [what, make] of Object.entries<(ended: () => void) => unknown>({
  'a stream of Node’s': ended => new Readable({ read: () => undefined }).on('close', ended),
  'a web stream': ended => new ReadableStream({ cancel: ended }),
  'a Response': ended => new Response(new ReadableStream({ cancel: ended })),
})) {
  test(`where it throws, ${what} as its body is ended`, async t => {
    const ended = new Deferred<void>()
    const { ask } = await openSite(t, {
      guard: {
        refuse: ctx => {
          ctx.body = make(() => ended.resolve())
          throw new Error('no template')
        },
      },
    })
    t.is(await (await ask()).text(), 'Unauthorized')
    await ended.promise
  })
}

test('over HTTP/2, too, it answers and is taken back, without a warning of Node’s', async t => {
  const warnings: string[] = []
  const warned = ({ name }: Error): void => void warnings.push(name)
  process.on('warning', warned)
  t.teardown(() => process.off('warning', warned))
  const hub = createHub()
  t.teardown(() => hub.close())
  const { faults } = listen(hub)
  const nobody = { scheme: 'x', challenge: 'X', ambient: false, authenticate: () => undefined }
  const app = new Koa().use(
    requireIdentity({
      hub,
      authenticate: nobody,
      refuse: ctx => {
        ctx.redirect('/login')
        if (ctx.path === '/broken') throw new Error('no template')
      },
    }),
  )
  const { url } = await serveHttp2(app, t)
  t.is((await openHttp2Stream(url)).status, 302)
  const answer = await openHttp2Stream(`${url}/broken`)
  t.is(answer.status, 401)
  t.is(answer.headers.location, undefined)
  t.is(faults.length, 1)
  t.false(warnings.includes('UnsupportedWarning'))
})

test('the session that it sets in place of one that was destroyed meanwhile is saved, and what it sets on that is not', async t => {
  for (const how of ['replaces', 'changes'] as const) {
    let isLoggedOut = false
    const { ask, logIn, store, errors } = await openSite(t, {
      session: { rolling: true },
      login: {
        identify: data => {
          if (isLoggedOut) store.sessions.clear()
          return identify(data)
        },
      },
      guard: {
        refuse: ctx => {
          if (how === 'replaces') ctx.session = { returnTo: ctx.url }
          else ctx.session.returnTo = ctx.url
          ctx.redirect('/login')
        },
      },
    })
    const cookie = await logIn('ada')
    isLoggedOut = true
    const answer = await ask({ cookie })
    t.is(answer.status, 302)
    const saved = [...store.sessions.values()].map(({ returnTo, userId }) => ({ returnTo, userId }))
    t.deepEqual(saved, how === 'replaces' ? [{ returnTo: '/', userId: undefined }] : [])
    t.is(answer.headers['set-cookie'] === undefined, how === 'changes')
    t.deepEqual(errors, [])
  }
})

test('where it hands the request to somebody else, and fails or never ends: the ordinary refusal, and a fault', async t => {
  for (const how of ['throws', 'rejects', 'hangs'] as const) {
    const asked = new Deferred<void>()
    const { ask, clock, faults, errors } = await openSite(t, {
      guard: {
        limits: { timeout: 1_000 },
        refuse: ctx => {
          ctx.respond = false
          asked.resolve()
          if (how === 'throws') throw new Error('no proxy')
          return how === 'hangs' ? new Promise(() => undefined) : Promise.reject(new Error('no proxy'))
        },
      },
    })
    const asking = ask()
    await asked.promise
    if (how === 'hangs') clock.advance(1_000)
    const answer = await asking
    t.is(answer.status, 401)
    t.is(await answer.text(), 'Unauthorized')
    t.is(faults.length, 1)
    t.deepEqual(errors, [])
  }
})

test('where it fails in the middle of its answer, the answer is cut', async t => {
  const { ask, faults } = await openSite(t, {
    guard: {
      refuse: ctx => {
        ctx.respond = false
        ctx.res.writeHead(200)
        ctx.res.write('half of it')
        throw new Error('no template')
      },
    },
  })
  await t.throwsAsync(async () => (await ask()).text())
  t.like(faults, [{ during: 'refuse', error: { message: 'no template' } }])
})

test('where it never answers: the ordinary refusal in time, and a fault', async t => {
  const asked = new Deferred<void>()
  const { ask, clock, faults } = await openSite(t, {
    guard: {
      limits: { timeout: 1_000 },
      refuse: () => {
        asked.resolve()
        return new Promise(() => undefined)
      },
    },
  })
  const asking = ask()
  await asked.promise
  clock.advance(1_000)
  t.is((await asking).status, 401)
  t.like(faults, [{ during: 'refuse', error: { message: '`refuse` did not answer within 1000 ms' } }])
})

test('no secret of the request is in what is told of it', async t => {
  const { ask, token, faults } = await openSite(t, {
    guard: {
      refuse: ctx => {
        throw new Error(`cannot answer ${ctx.get('authorization')}`)
      },
    },
  })
  const secret = token({ exp: 1 })
  t.is((await ask({ authorization: `Bearer ${secret}` })).status, 401)
  t.false(JSON.stringify(faults.map(({ error }) => (error as Error).message)).includes(secret))
})
