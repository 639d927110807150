import Koa from 'koa'
import { openStream } from '../support/http.ts'
import { inBrowsers } from './in-browsers.ts'
import { listen } from './listening.ts'
import { openSite } from './site.ts'

inBrowsers('an EventSource reads a compressed stream, each event as it comes', async (t, openPage) => {
  const app = new Koa()
  const encodings: unknown[] = []
  app.use(async (ctx, next) => {
    await next()
    if (ctx.path === '/events') encodings.push(ctx.response.get('Content-Encoding'))
  })
  const { hub, url } = await openSite(t, { app, stream: { compress: 'gzip' } })
  // What only one person has is not compressed.
  const other = await openStream(`${url}/events`)
  const stream = await listen(await openPage(url), '/events', { events: ['message', 'cursor'] })
  await stream.next('cursor')
  for (let n = 0; n < 50; n += 1) {
    const data = `a row that is much like all others, but for its number ${n}`
    const id = await hub.publish('news', { data })
    t.deepEqual(await stream.next('message'), { name: 'message', data, id })
  }
  t.is(encodings.at(-1), 'gzip')
  other.close()
})
