import test from 'ava'
import { openSite, PASSWORDS } from './site.ts'

test('logging out closes the streams of that login, in all its tabs, and no other', async t => {
  const site = await openSite(t)
  const [here, elsewhere] = [await site.loggedIn('ada'), await site.loggedIn('ada')]
  const [tab, otherTab, otherBrowser] = [await here.openStream(), await here.openStream(), await elsewhere.openStream()]
  for (const stream of [tab, otherTab, otherBrowser]) await stream.next()

  const { cookie } = here
  const response = await here.post('/logout')
  t.is(response.headers.get('location'), '/login?ended')
  await Promise.all([tab.closed, otherTab.closed])

  const back = site.visitor()
  back.cookie = cookie
  t.is((await back.openStream()).status, 401)
  t.is((await back.get('/session')).status, 401)
  await elsewhere.post('/notifications/test')
  await otherBrowser.next(thing => thing.event === 'notification')
})

test('whoever logs in as somebody else loses the streams of before', async t => {
  const site = await openSite(t)
  const visitor = await site.loggedIn('ada')
  const stream = await visitor.openStream()
  await stream.next()
  await visitor.logIn('grace', PASSWORDS.grace)
  await stream.closed
  t.is((await visitor.openStream()).status, 200)
})

test('without a login there is no stream', async t => {
  t.is((await (await openSite(t)).visitor().openStream()).status, 401)
})
