import type { ExecutionContext } from 'ava'
import Koa from 'koa'
import mount from 'koa-mount'
import { serve } from '../support/http.ts'
import { Progress } from '../support/progress.ts'

/** What stands before the demo's API. */
export interface Front {
  readonly port: number
  /** What was asked of the API and how it was answered, such as `GET events 200`, without preflights. */
  readonly asked: readonly string[]
  /** The URLs as a log would have them that is written when a request has been answered. */
  readonly log: readonly string[]
  /** Waits until so many requests, one by default, were answered like that. */
  answered(answer: string, times?: number): Promise<void>
  /** Answers requests for tickets with 503, until it is told otherwise. */
  refuseTickets(yes: boolean): void
}

/** Puts a log before the demo's API, and a switch that keeps tickets back. */
export async function openFront(t: ExecutionContext, demo: Koa): Promise<Front> {
  const asked: string[] = []
  const log: string[] = []
  const progress = new Progress()
  let ticketsAreRefused = false

  const app = new Koa()
  app.use(async (ctx, next) => {
    await next()
    if (ctx.method !== 'OPTIONS') asked.push(`${ctx.method} ${ctx.path.replace('/api/', '')} ${ctx.status}`)
    log.push(ctx.url, ctx.originalUrl, ctx.href, ctx.req.url ?? '')
    progress.announce()
  })
  app.use((ctx, next) => {
    if (!ticketsAreRefused || ctx.method !== 'POST' || ctx.path !== '/api/events/ticket') return next()
    ctx.set('Access-Control-Allow-Origin', '*')
    ctx.status = 503
  })
  app.use(mount(demo))
  const { port } = await serve(app, t)

  return {
    port,
    asked,
    log,
    async answered(answer, times = 1) {
      await progress.until(
        () => (asked.filter(one => one === answer).length >= times ? true : undefined),
        () => `"${answer}" was not answered ${times} times. So far: ${asked.join(', ')}`,
      )
    },
    refuseTickets: yes => (ticketsAreRefused = yes),
  }
}
