import test from 'ava'
import { koaVersions } from '../support/koa-versions.ts'
import type { Received } from '../support/received-stream.ts'
import { neighbours } from './neighbours.ts'
import { openSite } from './site.ts'
import { nameOf } from './table.ts'

const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  'x-content-type-options': 'nosniff',
}

const isMessage = ({ event }: Received) => event === 'message'

for (const neighbour of neighbours) {
  for (const [name, Koa] of koaVersions) {
    test(`a stream works beside ${nameOf(neighbour)} (${name})`, async t => {
      const { site, proves } = await openSite(t, neighbour, Koa)
      const { first, hub, open, isEmpty, errors, identities } = site
      t.is(first.status, 200)
      t.like(first.headers, HEADERS)
      for (const unwanted of ['content-encoding', 'content-length', 'etag'])
        t.false(unwanted in first.headers, unwanted)

      t.is((await first.next()).event, 'cursor')
      const id = await hub.publish('news', { data: 'at once' })
      t.like(await first.next(), { data: 'at once', id })
      first.close()
      await isEmpty()
      await hub.publish('news', { data: 'missed' })
      const resumed = await open({ 'last-event-id': id })
      t.like(await resumed.next(isMessage), { data: 'missed' })
      await hub.publish('news', { data: 'live again' })
      t.like(await resumed.next(isMessage), { data: 'live again' })
      t.is(resumed.received.filter(isMessage).length, 2)
      t.false(resumed.received.some(({ event }) => event === 'gap'))
      resumed.close()
      await isEmpty()
      t.is(hub.stats().closed.client, 2)
      t.deepEqual(identities, ['ann', 'ann'])

      await proves(site)
      await isEmpty()
      t.deepEqual(errors, [])
    })
  }
}
