import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { freePort } from '../../demo/cluster/free-port.ts'
import { locate, REDIS_SERVER } from './programs.ts'
import { raw } from './raw-socket.ts'
import type { Scope } from './scope.ts'

export interface RedisOptions {
  /** More of the server's command line, such as `['--maxmemory', '2mb']`. */
  readonly args?: readonly string[]
  /** Whether it is a node of a Cluster, with a port for its bus. */
  readonly isNode?: boolean
  /** The text of a configuration file, which a Sentinel must have. */
  readonly config?: string
  /** To come back where a stopped server was. By default a free port is found. */
  readonly port?: number
}

export interface RedisServer {
  /** `redis://127.0.0.1:<port>` */
  readonly url: string
  readonly port: number
  readonly pid: number
  /** Freezes the server as it stands: connections stay open and nothing is answered. */
  pause(): void
  resume(): void
  /** Kills the server, whatever it is at. More than once does no harm. */
  readonly stop: () => Promise<void>
}

// A shell stands between, so that Redis goes when this process goes, even by SIGKILL: the shell's input closes then.
const GUARD = `
  trap '' INT HUP
  folder=$1; shift
  exec 3<&0
  "$@" --dir "$folder" 3<&- 2>&1 & redis=$!
  echo "pid $redis"
  exec 2>/dev/null
  { read -r _ <&3; kill -9 $redis; } & guard=$!
  wait $redis
  kill $guard
  rm -rf "$folder"
`

// A Sentinel says nothing more than its name.
const READY = /Ready to accept connections|Sentinel ID is/

const ATTEMPTS = 5

/** Starts a real, empty Redis without persistence on the loopback; resolves once it answers. Stopped when the scope ends. */
export async function startRedis(
  scope?: Scope,
  { args = [], isNode = false, config, port }: RedisOptions = {},
): Promise<RedisServer> {
  for (let attempt = 1; ; attempt++) {
    try {
      const bus = isNode ? ['--cluster-enabled', 'yes', '--cluster-port', String(await freePort())] : []
      const server = await launch(port ?? (await freePort()), [...bus, ...args], config)
      scope?.teardown(server.stop)
      return server
    } catch (error) {
      // Somebody else may take the port between finding and using it.
      if (port !== undefined || attempt === ATTEMPTS || !isTaken(error)) throw error
    }
  }
}

async function launch(port: number, args: readonly string[], config: string | undefined): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), 'redis-'))
  const file = join(folder, 'redis.conf')
  if (config !== undefined) await writeFile(file, config)
  const server = [
    locate(REDIS_SERVER),
    ...(config === undefined ? [] : [file]),
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
  ]
  const guard = spawn('sh', ['-c', GUARD, 'sh', folder, ...server, '--save', '', '--appendonly', 'no', ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const gone = once(guard, 'close')
  const stop = async () => {
    guard.stdin.end()
    await gone
  }
  try {
    const pid = await untilReady(guard.stdout)
    const client = await raw(port, 'PING\r\n')
    await client.until(/^(\+PONG|-NOAUTH)/)
    client.close()
    return {
      url: `redis://127.0.0.1:${port}`,
      port,
      pid,
      pause: () => process.kill(pid, 'SIGSTOP'),
      resume: () => process.kill(pid, 'SIGCONT'),
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Reads the log until the server is ready and the guard has told its process id, and lets the rest of the log go. */
async function untilReady(output: Readable): Promise<number> {
  const log: string[] = []
  try {
    for await (const line of createInterface(output)) {
      log.push(line)
      const pid = log.find(line => line.startsWith('pid '))?.slice(4)
      if (pid !== undefined && log.some(line => READY.test(line))) return Number(pid)
    }
  } finally {
    output.resume()
  }
  throw new Error(`redis-server did not start:\n${log.join('\n')}`)
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && error.message.includes('Address already in use')
}
