import { once } from 'node:events'
import type { ExecutionContext } from 'ava'
import Koa, { type Context } from 'koa'
import { createHub, eventStream, watchSessions, type Broker, type Hub } from 'koa-event-stream'
import session from 'koa-session'
import type { ControlMessage } from '../../lib/broker/broker.ts'
import { CountingStore } from '../auth/session/site.ts'
import { serve } from '../support/http.ts'
import type { ManualClock } from '../support/manual-clock.ts'
import { Progress } from '../support/progress.ts'
import type { Scheme } from './schemes.ts'
import { Moments } from './moments.ts'

/** One instance of the application: its hub, its server, and the moments of its requests. */
export interface Instance {
  readonly hub: Hub
  readonly url: string
  readonly moments: Moments
  /** The announcements that have reached the hub. */
  readonly heard: Heard
}

/** What the broker announces to a hub, at once or when the test lets it. */
export class Heard {
  readonly #progress = new Progress()
  #held: (() => void)[] | undefined
  #count = 0

  get count(): number {
    return this.#count
  }

  /** Has announcements be late from now on. */
  hold(): void {
    this.#held ??= []
  }

  release(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const hand of held) hand()
  }

  /** Has announcements that are late never come. */
  forget(): void {
    this.#held = undefined
  }

  /** Waits until one more than so many have come, whether they are held or not. */
  async moreThan(count: number): Promise<void> {
    await this.#progress.until(
      () => (this.#count > count ? true : undefined),
      () => 'Nothing was announced',
    )
  }

  /** Stands between a broker and its hub. */
  listenTo(broker: Broker): void {
    const listen = broker.listen.bind(broker)
    broker.listen = listener => {
      const control = listener.control.bind(listener)
      listener.control = (message: ControlMessage) => {
        const hand = (): void => {
          control(message)
        }
        if (this.#held === undefined) hand()
        else this.#held.push(hand)
        this.#count += 1
        this.#progress.announce()
      }
      listen(listener)
    }
  }
}

/** What the instances of a site share. */
export interface Shared {
  readonly scheme: Scheme
  readonly sessions: CountingStore
  readonly clock: ManualClock
}

/** Opens an instance in which everything that a request for a stream may wait for is a moment. */
export async function openInstance(t: ExecutionContext, broker: Broker, shared: Shared): Promise<Instance> {
  const { scheme, sessions, clock } = shared
  const moments = new Moments()
  const heard = new Heard()
  heard.listenTo(broker)
  const hub = createHub({ broker, clock })
  t.teardown(() => hub.close())
  hub.on('refuse', () => {})
  // Where the test lets time pass, what is asked of a store meanwhile is late.
  hub.on('fault', () => {})
  if (!hub.ready) await once(hub, 'ready')
  observe(broker, moments)
  const store = {
    get: moments.around('the session store', sessions.get),
    set: sessions.set,
    destroy: sessions.destroy,
  }
  const { authenticate, issue } = scheme.logins({ hub, clock, moments })
  const limiter = (name: string) => ({ consume: moments.around(name, async (_key: string) => undefined) })
  const stream = eventStream({
    hub,
    authenticate,
    subscribe: async ({ identity }) => {
      await moments.pass('the resolver')
      const snapshot = async () => {
        await moments.pass('the snapshot')
        return [{ event: 'snapshot', data: 'state' }]
      }
      return ['everybody', { topic: `user:${identity.id}`, snapshot }]
    },
    limits: {
      address: 1_000,
      shared: { identity: 10 },
      rate: { address: limiter('the limiter of addresses'), identity: limiter('the limiter of identities') },
    },
  })

  const app = new Koa()
  app.keys = ['a key to sign cookies with']
  app.on('error', error => t.fail(String(error)))
  app.use(async (ctx, next) => {
    if (ctx.path !== '/events') return next()
    await moments.pass('the body')
    await next()
    await moments.pass('the response')
  })
  app.use(session({ store: watchSessions(store, hub, { timeout: 60_000 }), key: 'sid' }, app))
  app.use(async (ctx: Context) => {
    if (ctx.path === '/login') ctx.session.userId = ctx.query.user
    else if (ctx.path === '/logout') ctx.session = null
    else if (ctx.path === '/regenerate') await ctx.session.regenerate()
    else if (ctx.path === '/ticket') await issue?.(ctx)
    if (ctx.path !== '/events') {
      if (ctx.status === 404) ctx.body = 'done'
      return
    }
    await scheme.deserialize?.(ctx, moments)
    await stream(ctx)
  })
  const { url } = await serve(app, t)
  return { hub, url, moments, heard }
}

function observe(broker: Broker, moments: Moments): void {
  const { store, leases } = broker
  const wrap = <Args extends unknown[], Answer>(name: string, call: (...args: Args) => Answer | PromiseLike<Answer>) =>
    moments.around(name, call)
  store.get = wrap('the store', store.get.bind(store))
  store.take = wrap('the store of tickets', store.take.bind(store))
  leases.lease = wrap('the store of places', leases.lease.bind(leases))
  broker.look = wrap('the place in the log', broker.look.bind(broker))
  broker.subscribe = wrap('the subscription', broker.subscribe.bind(broker))
  broker.load = wrap('the history', broker.load.bind(broker))
}
