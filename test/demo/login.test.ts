import test from 'ava'
import { Accounts, DEMO_LOGINS } from '../../demo/domain/accounts.ts'
import { openSite, PASSWORDS } from './site.ts'

test('a visitor is sent to the login page and back to where they wanted to go', async t => {
  const visitor = (await openSite(t)).visitor()
  const turned = await visitor.get('/market')
  t.is(turned.status, 302)
  t.is(turned.headers.get('location'), '/login?next=%2Fmarket')
  t.regex(await (await visitor.get('/login?next=%2Fmarket')).text(), /name="next" value="\/market"/)

  const welcomed = await visitor.logIn('ada', PASSWORDS.ada, '/market')
  t.is(welcomed.status, 303)
  t.is(welcomed.headers.get('location'), '/market')
  t.is((await visitor.get('/market')).status, 200)
})

test('the session cookie is signed, out of reach of scripts, and not sent along by other sites', async t => {
  const visitor = (await openSite(t)).visitor()
  const cookies = (await visitor.logIn('ada', PASSWORDS.ada)).headers.getSetCookie()
  const session = cookies.find(cookie => cookie.startsWith('quayside='))
  t.regex(session ?? '', /^quayside=quayside:session:[\w-]+;.*samesite=lax; httponly/i)
  t.true(cookies.some(cookie => cookie.startsWith('quayside.sig=')))
})

test('a cookie that was tampered with is no login', async t => {
  const ada = await (await openSite(t)).loggedIn('ada')
  t.is((await ada.get('/')).status, 200)
  ada.cookie = ada.cookie.replace(/(quayside\.sig=.)./, '$1_')
  t.is((await ada.get('/')).status, 302)
})

for (const [username, password] of [
  ['ada', 'nanoseconds'],
  ['ada', ''],
  ['nobody', 'analytical-engine'],
  ['__proto__', 'x'],
] as const) {
  test(`${username} with the password "${password}" is not let in`, async t => {
    const visitor = (await openSite(t)).visitor()
    const response = await visitor.logIn(username, password)
    t.is(response.status, 401)
    t.regex(await response.text(), /do not match/)
    t.is((await visitor.get('/')).status, 302)
  })
}

test('a user name is shown again escaped', async t => {
  const response = await (await openSite(t)).visitor().logIn('"><script>alert(1)</script>', 'x')
  const page = await response.text()
  t.false(page.includes('<script>'))
  t.true(page.includes('&quot;&gt;&lt;script'))
})

test('a login gives the session another key, so that a planted one is worth nothing', async t => {
  const site = await openSite(t)
  const ada = await site.loggedIn('ada')
  const before = ada.cookie
  await ada.logIn('grace', PASSWORDS.grace)
  t.not(ada.cookie, before)

  const planted = site.visitor()
  planted.cookie = before
  t.is((await planted.get('/')).status, 302)
  t.regex(await (await ada.get('/')).text(), /Harbour Light/)
})

for (const next of [
  '//evil.example',
  '/.//evil.example',
  '/..//evil.example',
  '/orders/..//evil.example',
  './/evil.example',
  '/%2e//evil.example',
  '/\t/evil.example',
  'https://evil.example/',
  '/\\evil.example',
  'javascript:alert(1)',
  'http://',
]) {
  test(`after the login nobody is sent to ${next}`, async t => {
    const response = await (await openSite(t)).visitor().logIn('ada', PASSWORDS.ada, next)
    t.is(response.headers.get('location'), '/')
  })
}

test('whoever guesses is made to wait, and others are not', async t => {
  const visitor = (await openSite(t)).visitor()
  for (let attempt = 0; attempt < 10; attempt++) t.is((await visitor.logIn('ada', 'guess')).status, 401)
  t.is((await visitor.logIn('ada', PASSWORDS.ada)).status, 429)
  t.is((await visitor.logIn('grace', PASSWORDS.grace)).status, 303)
})

test('an address that tries the passwords of many users is made to wait, and another one is not', async t => {
  const visitor = (await openSite(t, { behindProxy: true })).visitor()
  const attempt = (username: string, password: string, address: string) =>
    visitor.post('/login', { username, password }, { 'X-Forwarded-For': address })
  for (let guess = 0; guess < 100; guess++) {
    t.is((await attempt(`user${guess}`, 'spring2026', '203.0.113.9')).status, 401)
  }
  t.is((await attempt('ada', PASSWORDS.ada, '203.0.113.9')).status, 429)
  t.is((await attempt('ada', PASSWORDS.ada, '203.0.113.10')).status, 303)
})

test('a client that guesses is the same one however a proxy writes its address', async t => {
  const visitor = (await openSite(t, { behindProxy: true })).visitor()
  const guess = async (address: string) => {
    const form = { username: 'ada', password: 'guess' }
    return (await visitor.post('/login', form, { 'X-Forwarded-For': address })).status
  }
  for (let n = 0; n < 10; n++) t.is(await guess(`203.0.113.9:${5_000 + n}`), 401)
  t.is(await guess('::ffff:203.0.113.9'), 429)
  for (let n = 0; n < 10; n++) t.is(await guess(`2001:db8:1:2::${n}`), 401)
  t.is(await guess('2001:db8:1:2:3::1'), 429)
})

test('of guesses that come at once no more are checked than of those that come one by one', async t => {
  const visitor = (await openSite(t)).visitor()
  const guesses = Array.from({ length: 30 }, (_, n) => visitor.logIn('ada', `guess ${n}`))
  const statuses = (await Promise.all(guesses)).map(({ status }) => status)
  t.is(statuses.filter(status => status === 401).length, 10)
  t.is(statuses.filter(status => status === 429).length, 20)
})

test('somebody who knows the password may log in as often as they like', async t => {
  const visitor = (await openSite(t)).visitor()
  for (let n = 0; n < 110; n++) t.is((await visitor.logIn('ada', PASSWORDS.ada)).status, 303)
})

test('the passwords that the login page offers are right, with the site’s own hashes', async t => {
  const accounts = new Accounts()
  for (const { username, password } of DEMO_LOGINS) {
    t.is((await accounts.verify(username, password))?.id, username)
    t.is(await accounts.verify(username, `${password} `), undefined)
  }
  t.is(await accounts.verify('nobody', ''), undefined)
})

test('a folder of the site’s files is nothing to be seen', async t => {
  const { url } = await openSite(t)
  for (const path of ['/assets/', '/assets/uplot/', '/assets', '/assets/../config.ts', '/assets/%2e%2e/config.ts']) {
    t.is((await fetch(url + path)).status, 404, path)
  }
})

test('behind a proxy that speaks TLS the cookie is secure, and a made-up address does not help to guess', async t => {
  const visitor = (await openSite(t, { behindProxy: true, https: true })).visitor()
  const attempt = (password: string, claimed: string) =>
    visitor.post(
      '/login',
      { username: 'ada', password },
      { 'X-Forwarded-Proto': 'https', 'X-Forwarded-For': `${claimed}, 203.0.113.9` },
    )
  const [cookie = ''] = (await attempt(PASSWORDS.ada, '192.0.2.1')).headers.getSetCookie()
  t.regex(cookie, /; secure/i)
  for (let guess = 0; guess < 10; guess++) t.is((await attempt('guess', `192.0.2.${guess}`)).status, 401)
  t.is((await attempt('guess', '192.0.2.99')).status, 429)
})

test('pages are kept in no cache and may run no script but the site’s', async t => {
  const ada = await (await openSite(t)).loggedIn('ada')
  for (const path of ['/', '/market', '/notifications', '/connection', '/assistant']) {
    const { status, headers } = await ada.get(path)
    t.is(status, 200, path)
    t.is(headers.get('cache-control'), 'no-store', path)
    t.regex(headers.get('content-security-policy') ?? '', /default-src 'none';script-src 'self';style-src 'self'/, path)
  }
})
