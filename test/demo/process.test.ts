import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import test from 'ava'
import { PASSWORDS, Visitor } from './site.ts'

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`the site listens where it says, and stops on ${signal} with streams open`, async t => {
    const site = spawn(process.execPath, ['--import=tsx', 'demo/main.ts'], {
      env: { ...process.env, PORT: '0' },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    t.teardown(() => {
      site.kill('SIGKILL')
    })
    const exited = once(site, 'exit')
    const [line] = (await once(createInterface(site.stdout), 'line')) as [string]
    const [url = ''] = /http:\S+/.exec(line) ?? []

    const ada = new Visitor(url)
    await ada.logIn('ada', PASSWORDS.ada)
    const stream = await ada.openStream('/events?market')
    await stream.next(({ event }) => event === 'quote')
    site.kill(signal)
    t.is(await stream.closed, 'end')
    t.deepEqual(await exited, [0, null])
    t.true(stream.received.some(({ kind }) => kind === 'retry'))
  })
}
