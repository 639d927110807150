import Koa from 'koa'
import { createHub, watchSessions } from 'koa-event-stream'
import { MemorySessions } from '../../demo/storage/memory-sessions.ts'
import { inBrowsers } from './in-browsers.ts'
import { listen } from './listening.ts'
import { addLogin, login } from './login.ts'
import { openSite } from './site.ts'

inBrowsers('logging out in one tab ends the stream of another for good', async (t, openPage) => {
  const app = new Koa()
  const hub = createHub()
  addLogin(app, { store: watchSessions(new MemorySessions(), hub) })
  const { url, requests } = await openSite(t, { app, hub, stream: { authenticate: login } })
  const page = await openPage(`${url}/login`)
  const stream = await listen(page, '/events', { events: ['cursor', 'message', 'gap', 'goaway'] })
  await stream.next('cursor')

  const otherTab = await page.newTab()
  await otherTab.goto(`${url}/logout`)
  await stream.next('closed')
  await hub.publish('news', { data: 'not for her any more' })
  t.deepEqual(stream.names, ['open', 'cursor', 'goaway', 'lost', 'closed'])
  t.is(stream.all('goaway')[0]?.data, '{"reason":"logout"}')
  t.deepEqual(
    requests.map(({ status }) => status),
    [200, 401],
  )
})
