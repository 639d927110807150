import test from 'ava'
import { createHub, watchSessions } from 'koa-event-stream'
import { CountingStore } from '../auth/session/site.ts'
import { koaVersions } from '../support/koa-versions.ts'
import { openSite } from './site.ts'

/** Two applications that share a hub and the sessions, as two mounts or two servers of one process do. */
async function openTwo(t: Parameters<typeof openSite>[0], Koa: (typeof koaVersions)[number][1]) {
  const hub = createHub()
  const store = watchSessions(new CountingStore(), hub)
  const one = await openSite(t, { app: new Koa(), hub, session: { store } })
  const two = await openSite(t, { app: new Koa(), hub, session: { store } })
  return { hub, one, two }
}

for (const [version, Koa] of koaVersions) {
  test(`${version}: logging out ends the streams of that login, all of them, and no other’s`, async t => {
    const { hub, one, two } = await openTwo(t, Koa)
    const ada = await one.loggedIn('ada')
    const elsewhere = two.visitor()
    for (const [name, value] of ada.cookies) elsewhere.cookies.set(name, value)
    const otherBrowser = await one.loggedIn('ada')
    const streams = [await ada.openStream(), await ada.openStream(), await elsewhere.openStream()]
    const kept = await otherBrowser.openStream()
    const { cookie } = ada

    await ada.visit('/logout')
    for (const stream of streams) t.is(await stream.closed, 'end')
    t.deepEqual(
      one.closes.map(({ reason }) => reason),
      ['logout', 'logout', 'logout'],
    )
    t.is((await elsewhere.openStream()).status, 401)
    t.is((await one.visitor().openStream('/events', { cookie })).status, 401)
    await hub.publish('news', { data: 'still here' })
    t.like(await kept.next(({ event }) => event === 'message'), { data: 'still here' })
  })

  test(`${version}: regenerate() ends the streams of the old key, which gets 401 from then on`, async t => {
    const { one } = await openTwo(t, Koa)
    const ada = await one.loggedIn('ada')
    const { cookie } = ada
    const stream = await ada.openStream()
    await ada.visit('/regenerate?user=ada')
    t.is(await stream.closed, 'end')
    t.is((await one.visitor().openStream('/events', { cookie })).status, 401)
    t.is((await ada.openStream()).status, 200)
  })
}

test('hub.disconnect ends the streams of a user in all sessions, and the logins live on', async t => {
  const site = await openSite(t, { session: { store: new CountingStore() } })
  const [here, there, eve] = [await site.loggedIn('ada'), await site.loggedIn('ada'), await site.loggedIn('eve')]
  const streams = [await here.openStream(), await there.openStream()]
  const kept = await eve.openStream()
  await site.hub.disconnect({ identity: 'ada' })
  for (const stream of streams) t.is(await stream.closed, 'end')
  t.is((await here.openStream()).status, 200)
  await site.hub.publish('news', { data: 'still here' })
  t.like(await kept.next(({ event }) => event === 'message'), { data: 'still here' })
})
