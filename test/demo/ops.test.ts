import test from 'ava'
import { startRedis } from '../support/redis-server.ts'
import { openSite, patientUrl, type Site, type Visitor } from './site.ts'

interface Listing {
  readonly streams: readonly { readonly id: string; readonly identity: string; readonly instance: string }[]
}

async function list(site: Site, visitor: Visitor): Promise<Listing> {
  return (await (await fetch(`${site.url}/ops/streams`, { headers: { cookie: visitor.cookie } })).json()) as Listing
}

function act(site: Site, visitor: Visitor, action: object, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${site.url}/ops/actions`, {
    method: 'POST',
    headers: { cookie: visitor.cookie, origin: site.url, 'content-type': 'application/json', ...headers },
    body: JSON.stringify(action),
  })
}

test('the operator alone sees who is connected, on both instances, and cuts a stream of the other one', async t => {
  const redis = await startRedis(t)
  const keys = { redisUrl: patientUrl(redis), sessionKeys: ['k'.repeat(32)] }
  const [here, there] = [await openSite(t, keys), await openSite(t, keys)]
  const [joan, ada] = [await here.loggedIn('joan'), await there.loggedIn('ada')]
  const stream = await ada.openStream()
  await stream.next(({ event }) => event === 'cursor')

  t.is((await joan.get('/ops/')).status, 200)
  t.regex(await (await joan.get('/')).text(), /href="\/ops\/"/)
  const found = (await list(here, joan)).streams.find(({ identity }) => identity === 'ada')
  const page = await joan.openStream('/ops/events')
  const { data } = await page.next(
    ({ event, data: text }) => event === 'overview' && text.includes(found?.instance ?? '-'),
  )
  t.false(data.includes(ada.cookie))

  t.is((await act(there, ada, { type: 'cut', stream: found?.id })).status, 403)
  t.is((await act(here, joan, { type: 'cut', stream: found?.id }, { origin: 'https://evil.example' })).status, 403)
  t.is((await act(here, joan, { type: 'cut', stream: found?.id })).status, 200)
  t.is((await stream.next(({ event }) => event === 'goaway')).data, '{"reason":"server"}')

  t.is((await ada.get('/ops/')).status, 403)
  t.notRegex(await (await ada.get('/')).text(), /href="\/ops\/"/)
  t.is((await there.visitor().get('/ops/')).headers.get('location'), '/login?next=%2Fops%2F')
})
