import { setImmediate as turn } from 'node:timers/promises'
import { createIdentity, type Authenticator, type Hub } from 'koa-event-stream'
import { byName } from '../koa/endpoint.ts'
import { onEveryTransport } from '../koa/every-transport.ts'
import { ManualClock } from '../support/manual-clock.ts'

const KILOBYTES_100 = 'x'.repeat(100_000)
const BUFFER = 500_000

/** As `byName`, with an end after ten seconds. */
const expiring = (clock: ManualClock): Authenticator => ({
  ...byName,
  authenticate: ctx => createIdentity({ id: ctx.get('x-user'), scheme: 'name', expiresAt: clock.now() + 10_000 }),
})

// Until the kernel takes no more, over TLS too, where it takes what is written some turns later.
async function fill(hub: Hub, bytes: number): Promise<void> {
  for (let stuck = 0; stuck < 50; stuck += 1) {
    if (hub.stats().bufferedBytes < bytes) {
      stuck = 0
      await hub.publish('news', { data: KILOBYTES_100 })
    }
    await turn()
  }
}

// That nothing reaches `app.on('error')` is what the endpoint itself looks after.
onEveryTransport('a client that is cut for slowness is no error, and sees that it was cut', async (t, start) => {
  const { ask, hub, story, tells, isEmpty } = await start({ buffer: { bytes: BUFFER } })
  const client = await ask()
  for (let n = 0; !story.includes('close slow') && n < 500; n += 1) {
    await hub.publish('news', { data: KILOBYTES_100 })
    await turn()
  }
  await tells('close slow')
  await isEmpty()
  const stream = client.read()
  t.is(await stream.closed, 'cut')
  t.deepEqual(
    stream.received.filter(({ event }) => event === 'goaway'),
    [],
  )
  t.deepEqual(story, ['open', 'close slow'])
})

for (const [reason, end] of [
  ['expired', ({ clock }) => clock.advance(12_000)],
  ['logout', ({ hub }) => hub.disconnect({ identity: 'ann' }, 'logout')],
  ['revoked', ({ hub }) => hub.disconnect({ identity: 'ann' }, 'revoked')],
  ['drain', ({ hub }) => void hub.drain({ within: 60_000 })],
  ['server', ({ hub }) => hub.disconnect({ identity: 'ann' })],
] as [string, (site: { hub: Hub; clock: ManualClock }) => unknown][]) {
  onEveryTransport(
    `a stuck client whose stream is ended (${reason}) is cut after the stall, without an error`,
    async (t, start) => {
      const clock = new ManualClock()
      const { ask, hub, story, tells, isEmpty } = await start(
        { authenticate: expiring(clock), heartbeat: false, buffer: { bytes: 50_000_000, stall: 60_000 } },
        { hub: { clock } },
      )
      const client = await ask()
      await fill(hub, 1_000_000)
      await end({ hub, clock })
      await turn()
      t.deepEqual(story, ['open'])
      for (let n = 0; n < 14 && story.length === 1; n += 1) {
        clock.advance(5_000)
        await turn()
      }
      await tells(`close ${reason}`)
      await isEmpty()
      t.is(await client.read().closed, 'cut')
      t.deepEqual(story, ['open', `close ${reason}`])
    },
  )

  onEveryTransport(`a client that reads is told at once why its stream is ended (${reason})`, async (t, start) => {
    const clock = new ManualClock()
    const { ask, hub, story } = await start({ authenticate: expiring(clock), heartbeat: false }, { hub: { clock } })
    const stream = (await ask()).read()
    await stream.next(({ event }) => event === 'cursor')
    await end({ hub, clock })
    t.is(await stream.closed, 'end')
    const mayComeBack = reason !== 'logout' && reason !== 'revoked'
    const last = new RegExp(
      `\\n\\n${mayComeBack ? 'retry: \\d+\\n' : ''}event: goaway\\ndata: {"reason":"${reason}"}\\n\\n$`,
    )
    t.regex(await stream.text(), last)
    t.deepEqual(story, ['open', `close ${reason}`])
  })
}
