/**
 * Two instances of the site behind nginx, and Prometheus beside them where it is installed: `npm run start:cluster`. `PORT` and
 * `REDIS_URL` as for one; without a Redis it starts one that forgets. Kill an instance, and see that nothing is lost.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import closeWithGrace from 'close-with-grace'
import { Children } from './children.ts'
import { freePort } from './free-port.ts'
import { find, locate } from './programs.ts'

const SITE = fileURLToPath(new URL('../main.ts', import.meta.url))
const ALERT_RULES = fileURLToPath(new URL('../../docs/operation/alerts.yml', import.meta.url))
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
const prometheus = find('prometheus')
if (prometheus !== undefined) console.log(`Prometheus is at ${await startPrometheus(prometheus)}`)
console.log(`Quayside is open at http://localhost:${await startNginx()}`)

async function startRedis(): Promise<string> {
  const port = String(await freePort())
  const args = ['--port', port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder]
  await children.start(locate('redis-server'), args, { ready: /Ready to accept connections/ })
  return `redis://127.0.0.1:${port}`
}

interface Instance {
  readonly address: string
  /** Where its metrics are. */
  readonly metrics: string
}

async function startInstance(): Promise<Instance> {
  const ready = /is open at http:\/\/localhost:(\d+)/
  const metrics = `127.0.0.1:${await freePort()}`
  const { pid, said } = await children.start(process.execPath, ['--import=tsx', SITE], {
    ready,
    env: { ...env, PORT: '0', METRICS_PORT: metrics.split(':')[1] ?? '' },
  })
  const address = `127.0.0.1:${said}`
  console.log(`An instance is at ${address}, process ${pid}`)
  return { address, metrics }
}

/** Answers the port. */
async function startNginx(): Promise<string> {
  const port = process.env.PORT === '0' ? String(await freePort()) : (process.env.PORT ?? '3000')
  const config = await configure('nginx.conf', { first: first.address, second: second.address, port })
  await mkdir(join(folder, 'logs'))
  const args = ['-p', folder, '-e', 'stderr', '-c', config, '-g', 'daemon off;']
  await children.start(nginx, args, { ready: /start worker process \d+/ })
  return port
}

/** Answers its address. `ALERT_RULES` names other rules than those of the documentation. */
async function startPrometheus(command: string): Promise<string> {
  const address = `127.0.0.1:${await freePort()}`
  const config = await configure('prometheus.yml', {
    rules: process.env.ALERT_RULES ?? ALERT_RULES,
    firstMetrics: first.metrics,
    secondMetrics: second.metrics,
  })
  const args = [
    `--config.file=${config}`,
    `--storage.tsdb.path=${join(folder, 'prometheus')}`,
    `--web.listen-address=${address}`,
  ]
  await children.start(command, args, { ready: /Server is ready to receive web requests/ })
  return `http://${address}`
}

/** Writes a program's configuration, filled in; answers where. */
async function configure(template: string, values: Record<string, string>): Promise<string> {
  const text = await readFile(new URL(template, import.meta.url), 'utf8')
  const config = join(folder, template)
  await writeFile(
    config,
    text.replace(/\$\{(\w+)\}/g, (placeholder, name: string) => ({ folder, ...values })[name] ?? placeholder),
  )
  return config
}

function newTokenKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}
