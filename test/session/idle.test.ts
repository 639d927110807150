import test from 'ava'
import { CountingStore } from '../auth/session/site.ts'
import { openSite } from './site.ts'

for (const extending of [{ rolling: true }, { renew: true, maxAge: 600_000 }] as const) {
  const word = Object.keys(extending)[0] ?? ''
  test(`by option a stream does not prolong a session that is ${word}, and any other request does`, async t => {
    const store = new CountingStore()
    const { loggedIn } = await openSite(t, { session: { store, ...extending }, login: { streamsProlong: false } })
    const ada = await loggedIn('ada')
    // So that `renew` finds the session in the second half of its life.
    for (const data of store.sessions.values()) data._expire = Date.now() + 200_000
    const before = store.writes
    for (let n = 0; n < 3; n += 1) {
      const stream = await ada.openStream()
      t.is(stream.status, 200)
      t.is(stream.headers['set-cookie'], undefined)
      stream.close()
    }
    t.is(store.writes, before)
    await ada.visit('/page')
    t.is(store.writes, before + 1)
  })
}

test('a page that is left open is logged out when its session has run out', async t => {
  const store = new CountingStore()
  const { loggedIn } = await openSite(t, { session: { store, rolling: true }, login: { streamsProlong: false } })
  const ada = await loggedIn('ada')
  t.is((await ada.openStream()).status, 200)
  for (const data of store.sessions.values()) data._expire = Date.now() - 1
  t.is((await ada.openStream()).status, 401)
})

test('a stream that is refused prolongs nothing either, and by default a stream that opens does', async t => {
  const store = new CountingStore()
  const { loggedIn } = await openSite(t, { session: { store, rolling: true }, login: { streamsProlong: false } })
  const ada = await loggedIn('ada')
  const before = store.writes
  t.is((await ada.openStream('/events', { origin: 'https://evil.example' })).status, 403)
  t.is(store.writes, before)

  const ordinary = new CountingStore()
  const site = await openSite(t, { session: { store: ordinary, rolling: true } })
  const ben = await site.loggedIn('ben')
  const written = ordinary.writes
  t.truthy((await ben.openStream()).headers['set-cookie'])
  t.is(ordinary.writes, written + 1)
})

test('what a stream’s own request writes into the session is saved all the same', async t => {
  const store = new CountingStore()
  const { loggedIn } = await openSite(t, {
    session: { store, rolling: true },
    login: { streamsProlong: false },
    inner: async (ctx, next) => {
      if (ctx.path === '/events') ctx.session.seen = 1
      await next()
    },
  })
  const ada = await loggedIn('ada')
  await ada.openStream()
  t.is([...store.sessions.values()][0]?.seen, 1)
})
