import test from 'ava'
import { byName, openEndpoint } from '../koa/endpoint.ts'

test('plain HTTP is refused before anybody is asked, HEAD too; what a trusted proxy says of TLS counts', async t => {
  let asked = 0
  const { app, open, story } = await openEndpoint(t, {
    authenticate: { ...byName, authenticate: ctx => ((asked += 1), byName.authenticate(ctx)) },
    requireSecure: true,
  })
  const overTls = { 'x-forwarded-proto': 'https' }
  const refused = await open({ headers: overTls })
  t.is(refused.status, 403)
  t.is(await refused.text(), 'Forbidden')
  t.is((await open({ method: 'HEAD' })).status, 403)
  t.is(asked, 0)
  app.proxy = true
  t.is((await open({ headers: { 'x-forwarded-proto': 'http' } })).status, 403)
  t.is((await (await open({ headers: overTls })).next()).event, 'cursor')
  t.deepEqual([...new Set(story)], ['refuse insecure 403', 'open'])
})
