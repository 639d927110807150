import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { ExecutionContext } from 'ava'
import type { ReceivedStream } from '../support/http.ts'

/** Two instances of the demo behind nginx. */
export interface Cluster {
  readonly url: string
  /** Process ids of the instances by their address. */
  readonly instances: ReadonlyMap<string, number>
  /** Where Prometheus is, if it is installed. */
  readonly prometheus: string | undefined
  /** Ends it as Ctrl-C does, and answers its exit code. */
  stop(): Promise<unknown>
}

/** Without a `REDIS_URL` among the variables it has a Redis of its own. */
export async function startCluster(t: ExecutionContext, variables: Record<string, string> = {}): Promise<Cluster> {
  const { REDIS_URL: _, ...env } = process.env
  const script = spawn(process.execPath, ['--import=tsx', 'demo/cluster/main.ts'], {
    env: { ...env, PORT: '0', ...variables },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(script, 'exit')
  const stop = async () => {
    script.kill('SIGINT')
    return (await exited)[0] as unknown
  }
  t.teardown(stop)
  const instances = new Map<string, number>()
  let prometheus: string | undefined
  for await (const line of createInterface(script.stdout)) {
    const [, address, pid] = /^An instance is at (\S+), process (\d+)$/.exec(line) ?? []
    if (address !== undefined) instances.set(address, Number(pid))
    prometheus ??= /^Prometheus is at (\S+)$/.exec(line)?.[1]
    const [, url] = /^Quayside is open at (\S+)$/.exec(line) ?? []
    if (url !== undefined) return { url, instances, prometheus, stop }
  }
  throw new Error('the cluster did not start')
}

/** The address of the instance that has answered. */
export function servedBy({ headers }: Pick<ReceivedStream, 'headers'>): string {
  return String(headers['x-served-by'])
}
