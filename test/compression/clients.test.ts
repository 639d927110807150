import { spawn } from 'node:child_process'
import test, { type ExecutionContext } from 'ava'
import { Progress } from '../support/progress.ts'
import { openSite, quote } from './site.ts'

const HEADERS = { accept: 'text/event-stream', 'x-user': 'ann' }

const clients: Record<string, (t: ExecutionContext, url: string) => Promise<AsyncIterable<Uint8Array>>> = {
  'curl --compressed': async (t, url) => {
    const headers = Object.entries(HEADERS).flatMap(([name, value]) => ['-H', `${name}: ${value}`])
    const curl = spawn('curl', ['--silent', '--show-error', '--no-buffer', '--compressed', ...headers, url], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    t.teardown(() => curl.kill())
    return curl.stdout
  },
  'Node’s fetch': async (t, url) => {
    const leaving = new AbortController()
    t.teardown(() => leaving.abort())
    const response = await fetch(url, { headers: HEADERS, signal: leaving.signal })
    t.is(response.headers.get('content-encoding'), 'gzip')
    if (response.body === null) throw new Error('no body')
    return response.body
  },
}

for (const [name, open] of Object.entries(clients)) {
  test(`${name} reads each event as it comes, and what a plain client gets`, async t => {
    const { hub, url, open: openHere } = await openSite(t)
    const plain = await openHere('bob', { encoding: 'identity' })
    const seen = new Progress()
    let text = ''
    const reading = (async () => {
      for await (const bytes of await open(t, url)) {
        text += Buffer.from(bytes).toString()
        seen.announce()
      }
    })()
    const shows = (what: string) =>
      seen.until(
        () => (text.includes(what) ? true : undefined),
        () => `${what} did not come: ${text}`,
      )
    await shows('event: cursor')
    for (let n = 0; n < 50; n += 1) await shows(`id: ${await hub.publish('news', quote(n))}\n`)
    await hub.drain()
    await reading
    await plain.closed
    const published = (all: string) => all.split('\n\n').filter(block => block.includes('event: quote'))
    t.is(published(text).length, 50)
    t.deepEqual(published(text), published(plain.text))
  })
}
