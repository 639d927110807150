import test from 'ava'
import { readConfig } from '../../demo/config.ts'
import { startRedis } from '../support/redis-server.ts'
import { openSite, patientUrl } from './site.ts'

test('with Redis, a login holds on every process of the site, and so does its end', async t => {
  const redis = await startRedis(t)
  const config = { ...readConfig({}), redisUrl: patientUrl(redis) }
  const [one, two] = [await openSite(t, config), await openSite(t, config)]
  const ada = await one.loggedIn('ada')
  const elsewhere = two.visitor()
  elsewhere.cookie = ada.cookie
  t.is((await elsewhere.get('/')).status, 200)

  const stream = await ada.openStream()
  await stream.next()
  await ada.post('/logout')
  await stream.closed
  t.is((await elsewhere.get('/')).status, 302)
  t.is((await elsewhere.openStream()).status, 401)
})

test('without its Redis the site says so at once, instead of letting visitors hang', async t => {
  const redis = await startRedis(t)
  const site = await openSite(t, { redisUrl: patientUrl(redis) })
  site.app.silent = true
  const ada = await site.loggedIn('ada')
  await redis.stop()
  t.is((await ada.get('/')).status, 500)
  t.is((await fetch(`${site.url}/assets/style.css`)).status, 200)
})
