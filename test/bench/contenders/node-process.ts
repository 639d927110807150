import { join } from 'node:path'
import { find, REDIS_SERVER } from '../../support/programs.ts'
import { startRedis } from '../../support/redis-server.ts'
import { pin, SERVER_CORE, start } from '../processes.ts'
import { Remote } from '../remote.ts'
import type { ServerCommands } from '../server/main.ts'
import type { ApplicationName } from './applications.ts'
import type { Contender, RunningServer, ServerOptions } from './contender.ts'

const NEED_REDIS: readonly ApplicationName[] = ['redis', 'session-redis']

/** A contender that runs in Node. */
export function inNode(name: ApplicationName, title: string): Contender {
  return {
    name,
    title,
    missing: () => (NEED_REDIS.includes(name) && find(REDIS_SERVER) === undefined ? 'apt-get install redis-server' : undefined),
    start: (build, options) => (NEED_REDIS.includes(name) ? startWithRedis : startNode)(name, build, options),
  }
}

/** What profiles of servers are written to, where they are wanted. */
const profiles = process.env.BENCH_PROFILES

async function startNode(name: string, build: string, { core, ...options }: ServerOptions): Promise<RunningServer> {
  const profiling = profiles === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profiles}`]
  const script = join(build, 'test/bench/server/main.js')
  const command = [process.execPath, '--expose-gc', ...profiling, script, name, JSON.stringify(options)]
  const child = start(command, core ?? SERVER_CORE, { NODE_ENV: 'production' })
  const remote = await Remote.connect<ServerCommands>(child)
  return {
    port: await remote.call('port'),
    pids: [remote.pid],
    publish: plan => remote.call('publish', plan),
    credentials: count => remote.call('credentials', count),
    shutdown: within => remote.call('shutdown', within),
    collect: () => remote.call('collect'),
    heap: () => remote.call('heap'),
    stop: () => remote.stop(),
  }
}

/** Redis is part of the server: it runs on the same core, and what it uses is counted. */
async function startWithRedis(name: string, build: string, options: ServerOptions): Promise<RunningServer> {
  if (options.redis !== undefined) return startNode(name, build, options)
  const redis = await startRedis()
  pin(redis.pid, options.core ?? SERVER_CORE)
  const server = await startNode(name, build, { ...options, redis: redis.url })
  return {
    ...server,
    pids: [...server.pids, redis.pid],
    stop: async () => {
      await server.stop()
      await redis.stop()
    },
  }
}
