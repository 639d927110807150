import test, { type ExecutionContext } from 'ava'
import Koa from 'koa'
import { createHub } from 'koa-event-stream'
import type { Page } from 'playwright-core'
import { ObservedStream } from './observed-stream.ts'
import { clientFiles } from './client-files.ts'
import { openPage } from './chromium.ts'
import { openSite, RETRY, type Site, type StreamOptions } from './site.ts'

/** A site that serves the client, too. */
async function openClientSite(t: ExecutionContext, stream: StreamOptions = {}): Promise<Site & { page: Page }> {
  const app = new Koa()
  app.use(clientFiles())
  const site = await openSite(t, { app, hub: createHub(), stream: { retry: RETRY, ...stream } })
  return { ...site, page: await openPage(t, site.url) }
}

let streams = 0

/** Connects in the page, by a module script as a page has it. */
async function connect(page: Page, options: string): Promise<ObservedStream> {
  const stream = new ObservedStream()
  const tell = `tellLive${++streams}`
  await page.exposeFunction(tell, stream.observe)
  await page.addScriptTag({
    type: 'module',
    content: `
      import { connect } from '/client/index.js'
      const live = window.live = connect('/events', {
        ...${options},
        onState: (state, reason) => ${tell}({ name: state, data: reason }),
      })
      live.on('tick', (n, { id }) => ${tell}({ name: 'tick', data: String(n), id }))`,
  })
  return stream
}

for (const transport of ['eventsource', 'fetch'] as const) {
  test(`${transport}: a page reads on after its connection was cut, and misses nothing`, async t => {
    const { hub, page, cable } = await openClientSite(t)
    const live = await connect(page, `{ transport: '${transport}' }`)
    await live.next('open')
    await hub.publish('news', { event: 'tick', data: 1 })
    await live.next('tick')
    cable.cut()
    await live.next('waiting')
    await hub.publish('news', { event: 'tick', data: 2 })
    cable.mend()
    await live.next('open')
    await hub.publish('news', { event: 'tick', data: 3 })
    while (live.all('tick').length < 3) await live.next('tick')
    t.deepEqual(
      live.all('tick').map(({ data }) => data),
      ['1', '2', '3'],
    )
  })

  test(`${transport}: a page that is silent is noticed, in the browser as well`, async t => {
    const { hub, page, cable, requests } = await openClientSite(t, { heartbeat: 1_000 })
    const live = await connect(page, `{ transport: '${transport}' }`)
    await live.next('open')
    await hub.publish('news', { event: 'tick', data: 1 })
    await live.next('tick')
    const before = requests.length
    cable.hold()
    await hub.publish('news', { event: 'tick', data: 2 })
    const silent = await live.next('connecting')
    t.is(silent.data, 'silent')
    cable.mend()
    await live.next('tick')
    t.true(requests.length > before)
    t.deepEqual(
      live.all('tick').map(({ data }) => data),
      ['1', '2'],
    )
  })

  test(`${transport}: the status of a refusal is told`, async t => {
    const { hub, page } = await openClientSite(t, { subscribe: (_, ctx) => ctx.throw(403) })
    hub.on('refuse', ({ status }) => t.is(status, 403))
    const live = await connect(page, `{ transport: '${transport}' }`)
    t.is((await live.next('ended')).data, 'status 403')
  })
}
