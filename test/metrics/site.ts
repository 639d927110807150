import type { ExecutionContext } from 'ava'
import Koa from 'koa'
import {
  createHub,
  createIdentity,
  eventStream,
  type Authenticator,
  type Hub,
  type HubOptions,
  type PublicOptions,
} from 'koa-event-stream'
import { metrics, type Metrics, type MetricsOptions } from 'koa-event-stream/prometheus'
import { Registry } from 'prom-client'
import { eventually } from '../support/eventually.ts'
import { openStream, serve, type OpenOptions, type ReceivedStream } from '../support/http.ts'

export interface MeteredOptions extends Partial<Omit<PublicOptions, 'hub' | 'authenticate'>> {
  readonly hub?: HubOptions
  readonly metrics?: Partial<MetricsOptions>
}

/** A hub behind a real server, that is measured. */
export interface Metered {
  readonly hub: Hub
  readonly url: string
  readonly port: number
  readonly register: Registry
  readonly metrics: Metrics
  /** Opens a stream on topics, separated by commas. */
  open(topics: string, options?: OpenOptions): Promise<ReceivedStream>
  /** What Prometheus is answered. */
  scrape(): Promise<Scrape>
  /** Waits until a sample is as it should be. */
  until(name: string, isRight: (value: number) => boolean): Promise<Scrape>
}

/** Samples by name and labels, as they are written: `gaps_total{reason="epoch"}`, without the prefix. */
export class Scrape {
  readonly text: string
  readonly samples: ReadonlyMap<string, number>

  constructor(text: string) {
    this.text = text
    const lines = text.split('\n').filter(line => line !== '' && !line.startsWith('#'))
    this.samples = new Map(
      lines.map(line => {
        const end = line.lastIndexOf(' ')
        return [line.slice(0, end).replace(/^koa_event_stream_/, ''), Number(line.slice(end + 1))]
      }),
    )
  }

  value(name: string): number {
    const value = this.samples.get(name)
    if (value === undefined) throw new Error(`nothing is called ${name}`)
    return value
  }
}

export async function openMetered(t: ExecutionContext, options: MeteredOptions = {}): Promise<Metered> {
  const { hub: hubOptions, metrics: metricsOptions, ...rest } = options
  const hub = createHub(hubOptions)
  hub
    .on('fault', () => undefined)
    .on('lost', () => undefined)
    .on('refuse', () => undefined)
  const register = new Registry()
  const metered = metrics(hub, { register, ...metricsOptions })
  const authenticate: Authenticator = {
    scheme: 'query',
    challenge: 'Query realm="events"',
    ambient: false,
    authenticate: ctx => createIdentity({ id: String(ctx.query.user ?? 'ada'), scheme: 'query' }),
  }
  const app = new Koa()
  app.on('error', error => t.fail(String(error)))
  app.use(
    eventStream({
      hub,
      authenticate,
      heartbeat: false,
      limits: { identity: 50_000, address: 50_000 },
      ...rest,
      subscribe: (_, ctx) => String(ctx.query.topics).split(','),
    }),
  )
  t.teardown(() => hub.close())
  const { url, port } = await serve(app, t)
  const scrape = async () => new Scrape(await register.metrics())
  return {
    hub,
    url,
    port,
    register,
    metrics: metered,
    open: (topics, openOptions) => openStream(`${url}/?topics=${topics}`, openOptions),
    scrape,
    until: async (name, isRight) => {
      let seen = await scrape()
      await eventually(
        async () => isRight((seen = await scrape()).samples.get(name) ?? 0),
        () => `${name} is ${String(seen.samples.get(name))}`,
      )
      return seen
    },
  }
}
