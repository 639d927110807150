import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import test from 'ava'
import { Redis } from 'ioredis'
import { startRedis } from './redis-server.ts'
import { raw } from './raw-socket.ts'

test('a server answers, freezes, thaws, stops, and comes back empty on its port', async t => {
  const server = await startRedis(t)
  const client = new Redis(server.url, { lazyConnect: true, retryStrategy: null })
  client.on('error', () => {})
  await client.set('key', 'value')
  t.regex(await client.info('server'), new RegExp(`process_id:${server.pid}\\b`))

  server.pause()
  const thawed = client.get('key')
  server.resume()
  t.is(await thawed, 'value')

  server.pause()
  const frozen = client.get('key')
  await server.stop()
  await server.stop()
  await t.throwsAsync(frozen, { message: 'Connection is closed.' })

  const again = await startRedis(t, { port: server.port })
  await client.connect()
  t.is(again.url, server.url)
  t.is(await client.dbsize(), 0)
  await client.quit()
})

test('a wrong argument and a taken port fail with what the server said', async t => {
  await t.throwsAsync(startRedis(t, { args: ['--no-such-option', '1'] }), { message: /no-such-option/ })
  const { port } = await startRedis(t)
  await t.throwsAsync(startRedis(t, { port }), { message: /Address already in use/ })
})

test('a server goes when the process that started it is killed', async t => {
  const script = `
    const { startRedis } = await import(${JSON.stringify(new URL('redis-server.js', import.meta.url).href)})
    console.log((await startRedis()).port)
    setInterval(() => {}, 1e9)
  `
  const owner = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => owner.kill('SIGKILL'))
  const [port] = (await once(createInterface(owner.stdout), 'line')) as [string]
  const client = await raw(Number(port), 'PING\r\n')
  await client.until('+PONG')
  owner.kill('SIGKILL')
  await client.ended()
  t.pass()
})
