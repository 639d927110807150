import { Readable } from 'node:stream'
import { setImmediate, setTimeout } from 'node:timers/promises'
import type { Context } from 'koa'
import {
  EventStreamError,
  type EventInput,
  type EventMap,
  type EventStream,
  type Identity,
  type Subscription,
} from 'koa-event-stream'
import { Random } from '../support/random.ts'
import { Prank } from './prank.ts'

export const TOPICS = Array.from({ length: 12 }, (_, n) => `topic-${n}`)

type Stream = EventStream<EventMap, Identity | undefined>
type Plan = (stream: Stream, random: Random, ctx: Context) => Subscription | Promise<Subscription>

const LATER = 20
const NEVER = 600_000
const LARGE = 'x'.repeat(4_096)

/** What a resolver may do, by names that requests choose from. */
const PLANS: Readonly<Record<string, Plan>> = {
  topic: (_, random) => random.pick(TOPICS),
  topics: (_, random) => random.some(TOPICS),
  replay: (_, random) => random.some(TOPICS).map(topic => ({ topic, replay: random.between(0, 60) })),
  own: stream => [`user:${stream.identity?.id ?? 'nobody'}`, ...TOPICS],
  none: () => [],
  nothing: () => null,
  forbidden: (_stream, _random, ctx) => ctx.throw(403),
  slow: async (_, random) => {
    await pause(random)
    return random.some(TOPICS)
  },
  hanging: async stream => {
    await setTimeout(NEVER, undefined, { signal: stream.signal, ref: false })
  },
  source: (_, random) => countdown(random.between(0, 20)),
  greedy: () => countdown(Infinity),
  failing: (_, random) => countdown(random.between(0, 20), new Prank('the source fails')),
  waiting: stream => idle(stream),
  cleanup: async stream => {
    await stream.send({ data: 'hello' })
    stream.comment('hello')
    return () => undefined
  },
  failingCleanup: () => () => {
    throw new Prank('the clean-up fails')
  },
  over: async stream => {
    await stream.send({ data: 'the only one' })
    stream.close('done')
  },
  closing: (stream, random) => {
    inBackground(async () => {
      await pause(random)
      stream.close(random.pick(['server', 'done', 'logout', 'revoked']))
    })
    return random.some(TOPICS)
  },
  destroyed: (stream, random) => {
    inBackground(async () => {
      await pause(random)
      stream.destroy(new Prank('the stream fails'))
    })
  },
  flooding: stream => {
    inBackground(async () => {
      await setImmediate()
      await Promise.all(Array.from({ length: 40 }, () => stream.send({ data: LARGE })))
      stream.close()
    })
  },
  piped: (_stream, random) => {
    const source = Readable.from([': a\n\n', 'data: b\n\n', random.chance(0.5) ? '' : `data: ${LARGE}\n\n`])
    source.pipe(_stream)
    return () => {
      source.destroy()
    }
  },
  living: (stream, random) => {
    inBackground(async () => {
      while (!stream.signal.aborted) {
        await pause(random)
        await stream.subscribe(...random.some(TOPICS))
        stream.unsubscribe(...random.some(TOPICS))
      }
    })
    return random.some(TOPICS)
  },
  invalid: async stream => {
    await Promise.all([
      stream.send({ event: 'a\nb', data: '' }).catch(expectInvalid),
      stream.subscribe('a b').catch(expectInvalid),
    ])
    return TOPICS[0]
  },
}

export const PLAN_NAMES = Object.keys(PLANS)

/** Does what the request's `X-Plan` says: the name of a plan, and a seed for its choices. */
export function resolve(stream: Stream, ctx: Context): Subscription | Promise<Subscription> {
  const [name = '', seed] = ctx.get('x-plan').split('/')
  const plan = PLANS[name] ?? PLANS.topics
  return plan?.(stream, new Random(Number(seed ?? 0)), ctx)
}

async function* countdown(count: number, failure?: Error): AsyncGenerator<EventInput> {
  for (let n = 0; n < count; n += 1) {
    yield { event: 'count', data: n % 3 === 0 ? LARGE : n }
    if (n % 2 === 0) await setImmediate()
  }
  if (failure !== undefined) throw failure
}

async function* idle(stream: Stream): AsyncGenerator<EventInput> {
  while (true) {
    await setTimeout(LATER, undefined, { signal: stream.signal })
    yield { data: { waited: LATER, user: { password: 'secret' } } }
  }
}

async function pause(random: Random): Promise<void> {
  await setTimeout(random.between(0, LATER))
}

// A stream may close at any moment. What else rejects here is found as an unhandled rejection.
function inBackground(work: () => Promise<void>): void {
  work().catch((error: unknown) => {
    if (!(error instanceof EventStreamError && error.code === 'ERR_STREAM_CLOSED')) throw error
  })
}

function expectInvalid(error: unknown): void {
  const expected = ['ERR_EVENT_INVALID', 'ERR_TOPIC_INVALID', 'ERR_STREAM_CLOSED']
  if (!(error instanceof EventStreamError && expected.includes(error.code))) throw error
}
