import type { Plan, Published } from '../plan.ts'
import type { Core } from '../processes.ts'
import type { ApplicationOptions } from '../server/application.ts'

export interface ServerOptions extends Pick<ApplicationOptions, 'heartbeat' | 'redis'> {
  /** Where it may run. Default the servers' core. */
  readonly core?: Core
}

/** A server to compare. */
export interface Contender {
  readonly name: string
  /** As tables and charts call it. */
  readonly title: string
  /** Why it cannot run here and what to do about it; `undefined` if it can. */
  missing(): string | undefined
  /** @param build the folder of what was compiled */
  start(build: string, options: ServerOptions): Promise<RunningServer>
}

export interface RunningServer {
  readonly port: number
  /** The processes that serve. */
  readonly pids: readonly number[]
  publish(plan: Plan): Promise<Published>
  /** Header lines for so many clients; an empty list where they need none. */
  credentials(count: number): Promise<readonly string[]>
  /** Drains within so many milliseconds and closes, where a server can; `stop()` is for afterwards. */
  shutdown?(within: number): Promise<void>
  /** Collects garbage, where there is a collector. */
  collect(): Promise<void>
  /** Bytes of objects on V8's heap; `NaN` where there is no such heap. */
  heap(): Promise<number>
  stop(): Promise<void>
}
