import test, { type ExecutionContext } from 'ava'
import Koa from 'koa'
import { createHub, eventStream, memoryBroker, type Hub } from 'koa-event-stream'
import { setImmediate, setTimeout } from 'node:timers/promises'
import type { Live } from '../../lib/client/live.ts'
import { createLive } from '../../lib/client/live-target.ts'
import { checkOptions, type ConnectOptions } from '../../lib/client/options.ts'
import { serve } from '../support/http.ts'
import { Progress } from '../support/progress.ts'
import { Random, seedOf } from '../support/random.ts'
import { openFaultyProxy, PASS, type Fault } from './faulty-proxy.ts'
import { hastened, hastenedClock } from './hastened.ts'
import { Seen } from './seen.ts'

type Transport = 'eventsource' | 'fetch'

interface Site {
  readonly hub: Hub
  readonly port: number
  /** The log, as the application has it in its own store. */
  readonly published: { readonly id: string; readonly number: number }[]
  publish(): Promise<void>
}

async function openSite(t: ExecutionContext): Promise<Site> {
  const hub = createHub({ broker: memoryBroker({ history: { count: 20 } }), clock: hastenedClock })
  const app = new Koa()
  app.on('error', error => t.fail(String(error)))
  app.use(
    eventStream({ hub, authenticate: false, subscribe: () => 'news', retry: 500, heartbeat: 5_000, maxAge: 60_000 }),
  )
  const { port } = await serve(app, t)
  t.teardown(() => hub.close())
  const published: Site['published'] = []
  return {
    hub,
    port,
    published,
    async publish() {
      const number = published.length + 1
      const id = await hub.publish('news', { event: 'tick', data: { number, filling: 'x'.repeat(number % 50) } })
      published.push({ id, number })
    },
  }
}

/** A page that shows the numbers of all events: those that it has loaded, and those that it was told. */
class Page {
  readonly shown: number[] = []
  readonly told: number[] = []
  readonly reasons: string[] = []
  readonly seen = new Seen()
  readonly live: Live<{ tick: { number: number } }>
  readonly #progress = new Progress()

  constructor(url: string, transport: Transport, { published }: Site, more: ConnectOptions = {}) {
    const options: ConnectOptions = {
      transport,
      ...this.seen.options,
      load: async ({ reason }) => {
        this.reasons.push(reason)
        // Both at once, as a transaction would.
        const state = published.map(({ number }) => number)
        const cursor = published.at(-1)?.id
        await setTimeout(1)
        this.shown.splice(0, Infinity, ...state)
        this.#progress.announce()
        return cursor === undefined ? undefined : { cursor }
      },
      ...more,
    }
    this.live = createLive(hastened, checkOptions(url, options, hastened), options)
    this.live.on('tick', ({ number }) => {
      this.told.push(number)
      this.shown.push(number)
      this.seen.note(`tick ${number}`)
      this.#progress.announce()
    })
    this.live.on('gap', () => this.seen.note('gap'))
  }

  /** Waits until the page shows an event: it was told of it, or has loaded it after a gap. */
  async shows(number: number): Promise<void> {
    await this.#progress.until(
      () => this.shown.includes(number) || undefined,
      () => `${number} is not shown. Loaded: ${this.reasons.join()}; ${this.seen.all.slice(-50).join(', ')}`,
    )
    // What was held during a load follows in the same turn.
    await setImmediate()
  }
}

function isRising(numbers: readonly number[]): boolean {
  return numbers.every((number, index) => index === 0 || number > (numbers[index - 1] ?? 0))
}

for (const transport of ['fetch', 'eventsource'] as const) {
  test(`${transport}: whatever a proxy does, nothing is lost, nothing told twice`, async t => {
    const seed = seedOf(process.env)
    t.log(`SEED=${seed}`)
    const random = new Random(seed)
    const site = await openSite(t)
    let isMended = false
    const faults: Record<string, number> = {}
    const choose = (): Fault => {
      if (isMended) return PASS
      const after = random.between(1, 3_000)
      const fault = random.pick<Fault>([
        PASS,
        { kind: 'cut', after },
        { kind: 'cut', after },
        { kind: 'cut', after },
        { kind: 'end', after },
        { kind: 'silent', after },
        { kind: 'status', status: 502 },
        { kind: 'page' },
      ])
      faults[fault.kind] = (faults[fault.kind] ?? 0) + 1
      return fault
    }
    const proxy = await openFaultyProxy(site.port, choose, t)
    const page = new Page(proxy.url, transport, site)
    // What a test does while time passes is no assertion.
    while (proxy.requests < 25) {
      await site.publish()
      await setTimeout(random.between(0, 20))
    }
    isMended = true
    await site.publish()
    // The stream under way may have been chosen to fall silent or to be cut.
    await page.shows(site.published.length)
    t.deepEqual(
      page.shown,
      site.published.map(({ number }) => number),
    )
    t.true(isRising(page.told))
    t.is(page.reasons.filter(reason => reason !== 'start').length > 0, page.seen.all.includes('gap'))
    t.deepEqual(page.seen.of('failed:'), [])
    t.log(
      JSON.stringify(faults),
      `${page.told.length} of ${site.published.length} told, loaded: ${page.reasons.length}`,
    )
    page.live.close()
  })

  test(`${transport}: a network that holds bytes back`, async t => {
    const site = await openSite(t)
    const proxy = await openFaultyProxy(site.port, () => ({ kind: 'hold' }), t)
    const page = new Page(proxy.url, transport, site)
    await page.seen.until('open poll')
    for (let n = 1; n <= 5; n += 1) {
      await site.publish()
      await page.seen.until(`tick ${n}`)
    }
    t.deepEqual(page.shown, [1, 2, 3, 4, 5])
    t.is(page.live.reason, 'poll')
    page.live.close()
  })

  test(`${transport}: a drain and a deploy`, async t => {
    const site = await openSite(t)
    let fault: Fault = PASS
    const proxy = await openFaultyProxy(site.port, () => fault, t)
    const page = new Page(proxy.url, transport, site)
    await page.seen.until('open stream')
    await site.publish()
    await page.seen.until('tick 1')
    fault = { kind: 'status', status: 502 }
    await site.hub.drain({ within: 500 })
    await page.seen.until('waiting drain')
    await page.seen.until('waiting status 502')
    page.live.close()
    t.pass()
  })
}
