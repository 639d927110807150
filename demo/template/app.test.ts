import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { testStreams } from 'koa-event-stream/testing'
import { app, hub } from './app.ts'

const site = await testStreams(app, { hub })
after(async () => {
  await site.close()
  await hub.close()
})

test('an order is pushed to its user and to nobody else', async () => {
  const ada = await site.open('/events', { as: { id: 'ada' } })
  const bob = await site.open('/events', { as: { id: 'bob' } })
  await site.fetch('/orders', { method: 'POST' })
  await ada.next('order.created')
  await bob.settled()
  assert.deepEqual(bob.events, [])
})
