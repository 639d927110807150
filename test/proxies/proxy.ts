import type { Scope } from '../support/scope.ts'

/** What a proxy is started with. */
export interface Setting {
  /** The ports of two instances on the loopback. */
  readonly ports: readonly [number, number]
  /** Seconds after which it cuts what is idle. Default: what we ship. */
  readonly idle?: number | undefined
}

/** A proxy that runs until the scope ends. */
export interface RunningProxy {
  /** `http://127.0.0.1:<port>` */
  readonly url: string
  /** Reads its configuration again; resolves once the new one holds. */
  reload?(): Promise<void>
}

/** A real program with the configuration that we ship for it. */
export interface Proxy {
  readonly name: string
  start(scope: Scope, setting: Setting): Promise<RunningProxy>
  /** Whether it has two instances behind it, and goes over to the one that lives. */
  readonly isBalancer: boolean
  /** Whether streams outlive a reload. */
  readonly keepsStreams: boolean
  /** Whether a response that broke off breaks off for the client, too, and does not look complete. */
  readonly passesCuts: boolean
  /** Whether the application is told of a client's leaving though it sends nothing; else a heartbeat finds out. */
  readonly tellsLeavingAtOnce: boolean
}

/** What our configurations say. */
export const IDLE_SHIPPED = 60
