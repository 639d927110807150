import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import test, { type ExecutionContext } from 'ava'
import { ACCESS_LIFETIME } from '../../demo/tokens/issuer.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { openSite } from './site.ts'

/** Runs the client; `connected` resolves once it has a stream, `printed` once it has printed an event. */
function runClient(t: ExecutionContext, args: string[], password: string) {
  const client = spawn(process.execPath, ['--import=tsx', 'demo/cli.ts', ...args], {
    env: { ...process.env, PASSWORD: password },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.teardown(() => {
    client.kill('SIGKILL')
  })
  const notes = createInterface(client.stderr)
  const connected = new Promise<void>(resolve => {
    notes.on('line', line => {
      if (line === '# open: stream') resolve()
    })
  })
  const output = createInterface(client.stdout)
  const events: string[] = []
  output.on('line', line => events.push(line))
  const printed = once(output, 'line')
  const ended = once(client, 'close')
  return {
    connected,
    printed,
    /** The exit status, and the texts of the notifications that were printed. */
    async result() {
      const [status] = (await ended) as [number]
      return { status, texts: events.map(line => (JSON.parse(line) as { data: { text: string } }).data.text) }
    },
  }
}

test('the client follows a user’s events, and its next run goes on where it stopped', async t => {
  const site = await openSite(t)
  const folder = await mkdtemp(join(tmpdir(), 'quayside-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const args = ['--url', site.url, '--user', 'ada', '--cursor', join(folder, 'cursor'), '--count', '2']

  const first = runClient(t, args, 'analytical-engine')
  await first.connected
  await site.services.notify('ada', 'one')
  await site.services.notify('ada', 'two')
  t.deepEqual(await first.result(), { status: 0, texts: ['one', 'two'] })

  await site.services.notify('ada', 'three')
  await site.services.notify('grace', 'not for ada')
  await site.services.notify('ada', 'four')
  t.deepEqual(await runClient(t, args, 'analytical-engine').result(), { status: 0, texts: ['three', 'four'] })
})

test('the client comes back by itself when it is cut off', async t => {
  const site = await openSite(t)
  const client = runClient(t, ['--url', site.url, '--user', 'ada', '--count', '2'], 'analytical-engine')
  await client.connected
  await site.services.notify('ada', 'before')
  await site.hub.disconnect({ identity: 'ada' })
  await site.services.notify('ada', 'meanwhile')
  t.deepEqual(await client.result(), { status: 0, texts: ['before', 'meanwhile'] })
})

test('the client goes on when its access token has expired', async t => {
  const clock = new ManualClock()
  const site = await openSite(t, {}, { clock })
  const client = runClient(t, ['--url', site.url, '--user', 'ada', '--count', '2'], 'analytical-engine')
  await client.connected
  await site.services.notify('ada', 'before')
  await client.printed
  clock.advance(ACCESS_LIFETIME)
  await site.services.notify('ada', 'meanwhile')
  t.deepEqual(await client.result(), { status: 0, texts: ['before', 'meanwhile'] })
})

test('the client gives up on a wrong password', async t => {
  const { url } = await openSite(t)
  t.is((await runClient(t, ['--url', url, '--user', 'ada'], 'x').result()).status, 1)
})
