import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { eventually } from '../../support/eventually.ts'
import { raw } from '../../support/raw-socket.ts'
import { LOAD_CORE, SERVER_CORE, start, type Core } from '../processes.ts'
import { Remote } from '../remote.ts'
import type { OutsideCommands } from '../server/outside.ts'
import type { RunningServer } from './contender.ts'

export interface NativeServer {
  readonly command: readonly string[]
  /** Where it answers `GET /ready` with 204 once it serves, and takes `POST /publish/<topic>`. */
  readonly port: number
  readonly core: Core
  readonly env?: NodeJS.ProcessEnv
}

/** Starts a server that is no Node process. It is published to over HTTP, by a process beside the clients. */
export async function startNative(
  build: string,
  { command, port, core = SERVER_CORE, env }: NativeServer,
): Promise<RunningServer> {
  // The kernel ends it with this process, however that ends: a program that is no Node process does not heed the channel.
  const child = start(['setpriv', '--pdeathsig', 'TERM', ...command], core, env)
  const exit = once(child, 'exit')
  await eventually(
    () => isReady(port),
    () => `${command[0] ?? ''} does not answer`,
  )
  const script = join(build, 'test/bench/server/outside.js')
  const publisher = await Remote.connect<OutsideCommands>(start([process.execPath, script, String(port)], LOAD_CORE))
  return {
    port,
    pids: withChildren(child.pid ?? 0),
    publish: plan => publisher.call('publish', plan),
    credentials: () => Promise.resolve([]),
    collect: () => Promise.resolve(),
    heap: () => Promise.resolve(NaN),
    stop: async () => {
      await publisher.stop()
      child.kill('SIGTERM')
      await exit
    },
  }
}

async function isReady(port: number): Promise<boolean> {
  try {
    const client = await raw(port, 'GET /ready HTTP/1.0\r\n\r\n')
    await client.until(/^HTTP\/1.. 204/)
    client.close()
    return true
  } catch {
    return false
  }
}

function withChildren(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1')
  return [pid, ...(children.match(/\d+/g) ?? []).map(Number)]
}
