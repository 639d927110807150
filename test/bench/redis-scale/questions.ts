import { quantile } from './quantile.ts'
import { publishAll, Rig } from './rig.ts'
import { openSlowLink } from './slow-link.ts'

/** Something that was asked, and what was measured. */
export interface Figure {
  readonly what: string
  readonly measured: string
}

/** How large it is all done, from 0 to 1: 1 is what the figures are for. */
export type Question = (scale: number) => Promise<Figure[]>

const KIB = 1_024
const MIB = 1_048_576

/** By name, in the order in which they are asked. */
export const questions: Readonly<Record<string, Question>> = { memory, resumes, instances, link, quiet }

/** What topics and events take, of an instance that has the topics and in Redis. */
async function memory(scale: number): Promise<Figure[]> {
  const count = Math.ceil(100_000 * scale)
  // Redis takes memory for many events at once: what one takes shows where there are hundreds.
  const [long, events] = [Math.ceil(100 * scale), 900]
  return Rig.with(async rig => {
    const instance = await rig.process()
    const publisher = rig.publisher()
    await instance.call('open', { count: 1 })
    await instance.call('subscribe', { prefix: 'warm-', count: 1 })
    const both = async () => ({ own: await instance.call('memory'), redis: await rig.memory() })
    const before = await both()
    const start = performance.now()
    await instance.call('subscribe', { prefix: 'topic-', count })
    const seconds = (performance.now() - start) / 1_000
    const listening = await both()
    await publishAll(publisher, index => `topic-${index}`, count)
    await instance.call('hear', count)
    const first = await both()
    await publishAll(publisher, index => `topic-${index % long}`, long * events)
    await instance.call('hear', count + long * events)
    const more = await both()
    const each = (from: number, to: number, things = count) => `${grouped(Math.round((to - from) / things))} bytes`
    return [
      { what: `${grouped(count)} topics of one instance: listened to within`, measured: `${seconds.toFixed(1)} s` },
      { what: 'memory of an instance, a silent topic', measured: each(before.own, listening.own) },
      { what: 'memory of an instance, an event of 200 bytes', measured: each(first.own, more.own, long * events) },
      { what: 'memory of Redis, a topic that an instance listens to', measured: each(before.redis, listening.redis) },
      { what: 'memory of Redis, a topic with its first event', measured: each(listening.redis, first.redis) },
      { what: 'memory of Redis, a further event of 200 bytes', measured: each(first.redis, more.redis, long * events) },
    ]
  })
}

/** Clients that resume all at once, each on a topic of its own, of which an instance has nothing yet. */
async function resumes(scale: number): Promise<Figure[]> {
  return [
    ...(await resume({ topics: Math.ceil(300 * scale), events: 1_000, bytes: 1_000, title: '1 MB' })),
    ...(await resume({ topics: Math.ceil(10_000 * scale), events: 4, bytes: KIB, title: '4 KiB' })),
  ]
}

interface Resume {
  readonly topics: number
  /** Of each topic. */
  readonly events: number
  readonly bytes: number
  readonly title: string
}

async function resume({ topics, events, bytes, title }: Resume): Promise<Figure[]> {
  return Rig.with(async rig => {
    await publishAll(rig.publisher(), index => `topic-${index % topics}`, topics * events, bytes)
    const instance = await rig.process()
    await instance.call('open', { count: 1 })
    await instance.call('subscribe', { prefix: 'topic-', count: topics })
    const loaded = await instance.call('load', { prefix: 'topic-', count: topics })
    const { lost, gaps } = await instance.call('totals')
    if (loaded.events !== topics * events) throw new Error(`${loaded.events} events of ${topics * events} were read`)
    const what = `${grouped(topics)} resumes at once on topics of ${title}`
    return [
      { what: `${what}: all served within`, measured: `${loaded.seconds.toFixed(1)} s` },
      { what: '… a publish of that instance meanwhile, p50 and p99', measured: milliseconds(loaded.p50, loaded.p99) },
      { what: '… memory of the instance at its peak', measured: `${Math.round(loaded.peak / MIB)} MiB` },
      { what: '… connections lost, and gaps', measured: `${lost}, ${gaps}` },
    ]
  })
}

/** Publishes into one topic that all instances listen to. */
async function instances(scale: number): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const [count, events] of [
    [1, 60_000],
    [10, 20_000],
    [50, 5_000],
  ] as const) {
    figures.push(await publishing(count, Math.ceil(events * scale)))
  }
  return figures
}

async function publishing(count: number, events: number): Promise<Figure> {
  return Rig.with(async rig => {
    const processes = await Promise.all(Array.from({ length: Math.min(count, 5) }, () => rig.process()))
    const each = count / processes.length
    for (const one of processes) {
      await one.call('open', { count: each })
      await one.call('subscribe', { prefix: 'topic-', count: 1 })
    }
    const publisher = rig.publisher()
    const flood = async (rounds: number): Promise<number> => {
      const start = performance.now()
      await publishAll(publisher, () => 'topic-0', events)
      await Promise.all(processes.map(one => one.call('hear', events * each * rounds)))
      return events / ((performance.now() - start) / 1_000)
    }
    await flood(1)
    const rates = [await flood(2), await flood(3), await flood(4)]
    const rate = Math.round(quantile(rates, 0.5))
    return {
      what: `publishes a second, heard by ${count} ${count === 1 ? 'instance' : 'instances'}`,
      measured: grouped(rate),
    }
  })
}

/** An instance that was cut off, and has 12 MB to fetch over a link of 2 MB a second. */
async function link(scale: number): Promise<Figure[]> {
  const [topics, events, bytes] = [Math.ceil(12 * scale), 1_000, 1_000]
  return Rig.with(async rig => {
    const slow = await openSlowLink(rig.port, 2_000_000, rig)
    const instance = await rig.process(slow.url)
    await instance.call('open', { count: 1 })
    await instance.call('subscribe', { prefix: 'topic-', count: topics })
    const publisher = rig.publisher()
    slow.cut()
    await publishAll(publisher, index => `topic-${index % topics}`, topics * events, bytes)
    slow.mend()
    const start = performance.now()
    const times: number[] = []
    const caughtUp = instance.call('hear', topics * events)
    const end = new AbortController()
    void caughtUp.finally(() => {
      end.abort()
    })
    while (!end.signal.aborted) {
      const at = performance.now()
      await publisher.publish('other', { data: 'x' })
      times.push(performance.now() - at)
      await new Promise(resolve => setTimeout(resolve, 20))
    }
    await caughtUp
    const seconds = (performance.now() - start) / 1_000
    const { gaps, lost } = await instance.call('totals')
    return [
      { what: `${topics} MB to catch up with, at 2 MB a second: live after`, measured: `${seconds.toFixed(1)} s` },
      {
        what: '… publishes of others meanwhile, p50 and p99',
        measured: milliseconds(quantile(times, 0.5), quantile(times, 0.99)),
      },
      { what: '… connections lost besides the cut, and gaps', measured: `${lost - 1}, ${gaps}` },
    ]
  })
}

// Short enough for the log to forget the quiet topics while the others are published to.
const QUIET_AGE = 5_000

/** Streams on quiet topics while a great many others are published to. */
async function quiet(scale: number): Promise<Figure[]> {
  const [others, topics] = [Math.ceil(250_000 * scale), 10]
  return Rig.with(async rig => {
    const instance = await rig.process()
    const publisher = rig.publisher(QUIET_AGE)
    await instance.call('open', { count: 1, age: QUIET_AGE })
    await instance.call('subscribe', { prefix: 'quiet-', count: topics })
    await publishAll(publisher, index => `quiet-${index}`, topics)
    await instance.call('hear', topics)
    const reads = await rig.reads()
    await publishAll(publisher, index => `other-${index}`, others)
    while ((await rig.admin.exists('{events}:last:quiet-0')) === 1)
      await new Promise(resolve => setTimeout(resolve, 100))
    await publishAll(publisher, index => `quiet-${index}`, topics)
    await instance.call('hear', topics * 2)
    const { gaps } = await instance.call('totals')
    return [
      {
        what: `${grouped(others)} topics published to, ${topics} streams on forgotten ones: gaps, and reads of history`,
        measured: `${gaps}, ${(await rig.reads()) - reads}`,
      },
    ]
  })
}

function grouped(number: number): string {
  return number.toLocaleString('en')
}

function milliseconds(...times: readonly number[]): string {
  return `${times.map(time => (time < 10 ? time.toFixed(1) : String(Math.round(time)))).join(' and ')} ms`
}
