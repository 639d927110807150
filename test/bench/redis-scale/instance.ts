/** Instances in a process of their own, which the benchmark tells what to do. */
import { redisBroker } from 'koa-event-stream/redis'
import type { Broker } from '../../../lib/broker/broker.ts'
import { residentMemory } from '../processes.ts'
import { serveCommands } from '../remote.ts'
import { quantile } from './quantile.ts'

const [client = ''] = process.argv.slice(2)
// Topics that are subscribed to in one go.
const CHUNK = 1_000
// Milliseconds between two publishes whose time is taken.
const PUBLISH_PAUSE = 5

interface Instance {
  readonly broker: Broker
  heard: number
  bytes: number
  gaps: number
  lost: number
}

const instances: Instance[] = []

/** What is asked of the first instance only where it says so: it has the topics `<prefix>0`, `<prefix>1` and so on. */
export interface Topics {
  readonly prefix: string
  readonly count: number
}

const commands = {
  /** Makes so many more instances, of logs whose history reaches back so many milliseconds. */
  open({ count, age }: { count: number; age?: number }): void {
    for (let made = 0; made < count; made += 1) instances.push(openInstance(age))
  },

  /** Has every instance listen to topics. */
  async subscribe(topics: Topics): Promise<void> {
    const names = namesOf(topics)
    for (let from = 0; from < names.length; from += CHUNK) {
      const some = names.slice(from, from + CHUNK)
      await Promise.all(instances.flatMap(({ broker }) => some.map(async topic => broker.subscribe(topic))))
    }
  },

  /** What became of all instances together since they were made. */
  totals(): { heard: number; bytes: number; gaps: number; lost: number } {
    const sum = (what: 'heard' | 'bytes' | 'gaps' | 'lost') => instances.reduce((total, one) => total + one[what], 0)
    return { heard: sum('heard'), bytes: sum('bytes'), gaps: sum('gaps'), lost: sum('lost') }
  },

  /** Resolves when all instances together have heard so many events. */
  async hear(count: number): Promise<void> {
    while (commands.totals().heard < count) {
      const { gaps, lost } = commands.totals()
      if (gaps > 0)
        throw new Error(`the machine was too busy: ${lost} connections were lost, and ${gaps} topics have a gap`)
      await pause(2)
    }
  },

  /** Bytes, after garbage was collected. */
  memory(): number {
    globalThis.gc?.()
    return residentMemory([process.pid])
  },

  /** Has the first instance fetch the whole history of topics, all at once, and publish meanwhile. */
  async load(topics: Topics): Promise<Loaded> {
    const [instance] = instances
    if (instance === undefined) throw new Error('there is no instance')
    const { broker } = instance
    const names = namesOf(topics)
    const start = performance.now()
    const times = await publishUntil(broker, Promise.all(names.map(async topic => broker.load([topic], 0))))
    const seconds = (performance.now() - start) / 1_000
    const events = names.reduce((sum, topic) => sum + broker.read(topic, 0, Infinity).events.length, 0)
    const peak = process.resourceUsage().maxRSS * 1_024
    return { seconds, events, peak, p50: quantile(times, 0.5), p99: quantile(times, 0.99) }
  },
}

/** What it was like to fetch history, and to publish meanwhile. */
export interface Loaded {
  readonly seconds: number
  readonly events: number
  /** The most memory that the process ever had, in bytes. */
  readonly peak: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
}

export type InstanceCommands = typeof commands

function openInstance(age: number | undefined): Instance {
  const broker = redisBroker({ client, ...(age !== undefined && { history: { age } }) })
  const instance: Instance = { broker, heard: 0, bytes: 0, gaps: 0, lost: 0 }
  broker.listen({
    event: (_, { frame }) => {
      instance.heard += 1
      instance.bytes += frame.length
    },
    gap: topics => {
      instance.gaps += topics.length
    },
    control: () => undefined,
    readiness: isReady => {
      if (!isReady) instance.lost += 1
    },
    fault: (during, error) => {
      console.error(during, error)
    },
  })
  return instance
}

/** Publishes from time to time until something is done, and answers how long each publish took, in milliseconds. */
async function publishUntil(broker: Broker, done: Promise<unknown>): Promise<number[]> {
  const end = new AbortController()
  const ended = done.finally(() => {
    end.abort()
  })
  const times: number[] = []
  const body = Buffer.from(`data: ${'x'.repeat(192)}\n\n`)
  while (!end.signal.aborted) {
    const start = performance.now()
    await broker.publish(['meanwhile'], body)
    times.push(performance.now() - start)
    await pause(PUBLISH_PAUSE)
  }
  await ended
  return times
}

function namesOf({ prefix, count }: Topics): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`)
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}

serveCommands(commands)
