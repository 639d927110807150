import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { ExecutionContext } from 'ava'
import { openTcpProxy } from '../support/tcp-proxy.ts'
import { inBrowsers } from './in-browsers.ts'
import { listen } from './listening.ts'

const events = ['cursor', 'message', 'gap']

inBrowsers(
  'a connection that is cut resumes without a gap, a server that lost its log with one',
  async (t, openPage) => {
    const first = await startServer(t)
    const cable = await openTcpProxy(first.port, t)
    const page = await openPage(`${cable.url}/login`)
    const stream = await listen(page, '/events', { events })
    await stream.next('cursor')

    cable.cut()
    await stream.next('lost')
    for (const text of ['one', 'two']) first.process.send(text)
    cable.mend()
    first.process.send('three')
    for (const text of ['one', 'two', 'three']) t.is((await stream.next('message')).data, text)
    t.deepEqual(stream.all('gap'), [])

    first.process.kill('SIGKILL')
    await stream.next('lost')
    const second = await startServer(t)
    cable.target = second.port
    const gap = await stream.next('gap')
    t.deepEqual(JSON.parse(gap.data ?? ''), { topics: ['news', 'user:ann'], reason: 'epoch' })
    const cursor = await stream.next('cursor')
    second.process.send('four')
    const message = await stream.next('message')
    t.is(message.data, 'four')
    t.is(epochOf(message.id), epochOf(cursor.id))
    t.not(epochOf(message.id), epochOf(gap.id))
    t.is(stream.all('message').length, 4)
    t.false(stream.names.includes('closed'))
  },
)

async function startServer(t: ExecutionContext): Promise<{ process: ChildProcess; port: number }> {
  const server = fork(new URL('news-server.js', import.meta.url))
  t.teardown(() => server.kill('SIGKILL'))
  const [port] = (await once(server, 'message')) as [number]
  return { process: server, port }
}

function epochOf(id = ''): string {
  return id.slice(0, id.lastIndexOf('-'))
}
