import test from 'ava'
import Koa from 'koa'
import { relay } from 'koa-event-stream/relay'
import { Deferred } from '../support/deferred.ts'
import { openStream, serve } from '../support/http.ts'
import { openMetered } from './site.ts'

test('runs of relays are counted while they run, and by how they end, and what they publish by its kind', async t => {
  const site = await openMetered(t, { metrics: { topic: topic => topic.split(':')[0] ?? '' } })
  const release = new Deferred<undefined>()
  const relays = relay({ hub: site.hub })
  const app = new Koa()
  app.use(
    relays.start({
      authenticate: {
        scheme: 'all',
        challenge: 'All',
        ambient: false,
        authenticate: () => ({ id: 'ada', scheme: 'all' }),
      },
      id: ctx => ctx.path,
      run: async function* (_, ctx) {
        yield { event: 'token', data: '1' }
        await release.promise
        if (ctx.path === '/fails') throw new Error('as it should')
      },
    }),
  )
  const { url } = await serve(app, t)
  const post = (path: string) => openStream(url + path, { method: 'POST' })
  const streams = [await post('/a'), await post('/fails')]
  for (const stream of streams) await stream.next(({ event }) => event === 'token')
  t.is((await site.scrape()).value('relay_runs'), 2)
  release.resolve(undefined)
  for (const stream of streams) await stream.closed
  const scrape = await site.until('relay_runs', value => value === 0)
  t.is(scrape.value('relay_runs_ended_total{how="done"}'), 1)
  t.is(scrape.value('relay_runs_ended_total{how="failed"}'), 1)
  // Of each a batch and its end.
  t.is(scrape.value('published_total{topic="relay"}'), 4)
  t.is(site.hub.stats().published, 4)
})

test('places in limits over all instances are counted while streams hold them', async t => {
  const site = await openMetered(t, { limits: { identity: 50_000, shared: { identity: 5 } } })
  const streams = [await site.open('news'), await site.open('news')]
  for (const stream of streams) await stream.next(({ event }) => event === 'cursor')
  t.is((await site.scrape()).value('leases'), 2)
  for (const stream of streams) stream.close()
  await site.until('leases', value => value === 0)
})
