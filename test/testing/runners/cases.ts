import assert from 'node:assert/strict'
import { recorder, StreamRefused, testStreams } from 'koa-event-stream/testing'
import { createShop } from './app.ts'

// Busy machines are slow, and a runner's own limit is what ends a test that hangs.
const within = 60_000

/** Tests of the shop, for any runner. */
export const CASES: Readonly<Record<string, () => Promise<void>>> = {
  'an order is told to who has placed it, and to nobody else': async () => {
    const { app, hub } = createShop()
    const site = await testStreams(app, { hub, within })
    try {
      const seen = recorder(hub)
      const [ada, bob] = await Promise.all([
        site.open('/events', { as: { id: 'ada' } }),
        site.open('/events', { as: { id: 'bob' } }),
      ])
      const placed = await site.fetch('/orders?total=42', { method: 'POST', as: { id: 'ada' } })
      assert.equal(placed.status, 201)
      assert.deepEqual((await ada.next('order.created')).data, { id: 7, total: 42 })
      await bob.settled()
      assert.deepEqual(bob.events, [])
      assert.deepEqual(seen.published[0]?.topics, ['orders:ada'])
    } finally {
      await site.close()
      await hub.close()
    }
  },
  'who was cut off has missed nothing, and is told what was lost': async () => {
    const { app, hub } = createShop()
    const site = await testStreams(app, { hub, within })
    try {
      const ada = await site.open('/events', { as: { id: 'ada' } })
      await ada.cut()
      await hub.publish('orders:ada', { event: 'order.created', data: { id: 8, total: 1 } })
      await ada.resume()
      assert.equal((await ada.next('order.created')).data.id, 8)
      await ada.cut()
      await hub.publish('orders:ada', { event: 'order.created', data: { id: 9, total: 1 } })
      await site.trim('orders:ada')
      await ada.resume()
      assert.deepEqual(ada.gaps, [{ topics: ['orders:ada'], reason: 'trimmed' }])
    } finally {
      await site.close()
      await hub.close()
    }
  },
  'nobody is let in without a login': async () => {
    const { app, hub } = createShop()
    const site = await testStreams(app, { hub, within })
    try {
      const seen = recorder(hub)
      await assert.rejects(
        site.open('/events'),
        (error: unknown) => error instanceof StreamRefused && error.status === 401,
      )
      assert.equal(seen.refusals[0]?.reason, 'unauthenticated')
    } finally {
      await site.close()
      await hub.close()
    }
  },
}
