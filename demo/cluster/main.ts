/**
 * Two instances of the site behind nginx: `npm run start:cluster`. `PORT` and `REDIS_URL` as for one; without a Redis it
 * starts one that forgets. Kill an instance, and see that nothing is lost.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import closeWithGrace from 'close-with-grace'
import { Children } from './children.ts'
import { locate } from './programs.ts'

const SITE = fileURLToPath(new URL('../main.ts', import.meta.url))
const TEMPLATE = new URL('nginx.conf', import.meta.url)
/** Milliseconds for the whole stop: each instance lets its streams end. */
const STOP_WITHIN = 20_000

const nginx = locate('nginx')
const folder = await mkdtemp(join(tmpdir(), 'quayside-'))
const children = new Children()
closeWithGrace({ delay: STOP_WITHIN }, async ({ err }) => {
  if (err) console.error(err.message)
  await children.stop()
  await rm(folder, { recursive: true })
})

const env = {
  REDIS_URL: process.env.REDIS_URL ?? (await startRedis()),
  SESSION_KEYS: process.env.SESSION_KEYS ?? randomBytes(32).toString('base64url'),
  TOKEN_KEY: process.env.TOKEN_KEY ?? newTokenKey(),
  BEHIND_PROXY: '1',
}
const [first, second] = await Promise.all([startInstance(), startInstance()])
console.log(`Quayside is open at http://localhost:${await startNginx()}`)

async function startRedis(): Promise<string> {
  const port = await freePort()
  const args = ['--port', port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder]
  await children.start(locate('redis-server'), args, { ready: /Ready to accept connections/ })
  return `redis://127.0.0.1:${port}`
}

/** Answers the instance's address. */
async function startInstance(): Promise<string> {
  const ready = /is open at http:\/\/localhost:(\d+)/
  const { pid, said } = await children.start(process.execPath, ['--import=tsx', SITE], {
    ready,
    env: { ...env, PORT: '0' },
  })
  console.log(`An instance is at 127.0.0.1:${said}, process ${pid}`)
  return `127.0.0.1:${said}`
}

/** Answers the port. */
async function startNginx(): Promise<string> {
  const port = process.env.PORT === '0' ? await freePort() : (process.env.PORT ?? '3000')
  const values: Record<string, string> = { folder, first, second, port }
  const config = join(folder, 'nginx.conf')
  const template = await readFile(TEMPLATE, 'utf8')
  await writeFile(
    config,
    template.replace(/\$\{(\w+)\}/g, (text, name: string) => values[name] ?? text),
  )
  await mkdir(join(folder, 'logs'))
  const args = ['-p', folder, '-e', 'stderr', '-c', config, '-g', 'daemon off;']
  await children.start(nginx, args, { ready: /start worker process \d+/ })
  return port
}

async function freePort(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return String(port)
}

function newTokenKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}
