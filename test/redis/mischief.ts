import { setTimeout as delay } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { Random } from '../support/random.ts'
import type { RedisServer } from '../support/redis-server.ts'
import type { TcpProxy } from '../support/tcp-proxy.ts'

export interface Victims {
  readonly server: RedisServer
  /** A connection that no fault touches. */
  readonly admin: Redis
  /** The ways to Redis. */
  readonly proxies: readonly TcpProxy[]
}

/** Faults that pass: after each, everything is as it was. */
const FAULTS = {
  'kill subscribers': async ({ admin }: Victims) => {
    await admin.client('KILL', 'TYPE', 'PUBSUB')
  },
  'kill one subscriber': async ({ admin }: Victims, random: Random) => {
    const list = String(await admin.client('LIST', 'TYPE', 'PUBSUB'))
    const ids = [...list.matchAll(/^id=(\d+)/gm)].flatMap(([, id]) => id ?? [])
    if (ids.length > 0) await admin.client('KILL', 'ID', Number(random.pick(ids)))
  },
  'kill publishers': async ({ admin }: Victims) => {
    await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
  },
  'flush scripts': async ({ admin }: Victims) => {
    await admin.script('FLUSH')
  },
  freeze: async ({ server }: Victims, random: Random) => {
    server.pause()
    await delay(random.between(50, 1_500))
    server.resume()
  },
  'cut a cable': async ({ proxies }: Victims, random: Random) => {
    const proxy = random.pick(proxies)
    proxy.cut()
    // Sometimes for longer than history reaches back.
    await delay(random.chance(0.25) ? 4_000 : random.between(0, 800))
    proxy.mend()
  },
  'hold back': async ({ proxies }: Victims, random: Random) => {
    const proxy = random.pick(proxies)
    proxy.hold()
    await delay(random.between(5, 1_000))
    proxy.mend()
  },
}

export type Fault = keyof typeof FAULTS

const NAMES = Object.keys(FAULTS) as Fault[]

/** Does harm at random until it is told to stop. Answers what it did. */
export async function doMischief(victims: Victims, random: Random, signal: AbortSignal): Promise<Fault[]> {
  const done: Fault[] = []
  while (!signal.aborted) {
    const fault = random.pick(NAMES)
    done.push(fault)
    await FAULTS[fault](victims, random)
    await delay(random.between(0, 600))
  }
  return done
}
