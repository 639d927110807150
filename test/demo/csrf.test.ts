import test from 'ava'
import { openSite } from './site.ts'

const FOREIGN = {
  'another site': { 'Sec-Fetch-Site': 'cross-site', Origin: 'https://evil.example' },
  'a sibling subdomain': { 'Sec-Fetch-Site': 'same-site', Origin: 'http://other.localhost' },
  'an old browser on another site': { 'Sec-Fetch-Site': '', Origin: 'https://evil.example' },
  'a page without an origin': { 'Sec-Fetch-Site': '', Origin: 'null' },
}

for (const [who, headers] of Object.entries(FOREIGN)) {
  test(`${who} cannot act with a visitor's login`, async t => {
    const site = await openSite(t)
    const ada = await site.loggedIn('ada')
    for (const path of ['/orders', '/notifications/test', '/notifications/read', '/connection/cut', '/logout']) {
      t.is((await ada.post(path, { lot: 'nyeri', bags: '1' }, headers)).status, 403, path)
    }
    t.deepEqual(await site.services.orders.list('ada'), [])
    t.is((await ada.get('/')).status, 200)
  })
}

test('a request that does not say where it comes from cannot act', async t => {
  const site = await openSite(t)
  const ada = await site.loggedIn('ada')
  const { cookie } = ada
  t.is((await fetch(`${site.url}/logout`, { method: 'POST', headers: { cookie } })).status, 403)
  t.is((await ada.get('/')).status, 200)
})

test('the site itself can, whether or not the browser tells the site apart', async t => {
  const site = await openSite(t)
  const ada = await site.loggedIn('ada')
  t.is((await ada.post('/notifications/test', {}, { 'Sec-Fetch-Site': '' })).status, 303)
  t.is((await ada.post('/notifications/test')).status, 303)
  t.is(await site.services.notifications.unread('ada'), 2)
})

test('another site cannot open a stream with a visitor’s login', async t => {
  const ada = await (await openSite(t)).loggedIn('ada')
  const stream = await ada.openStream('/events', { 'Sec-Fetch-Site': 'cross-site', origin: 'https://evil.example' })
  t.is(stream.status, 403)
})
