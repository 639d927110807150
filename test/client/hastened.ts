import type { Clock } from 'koa-event-stream'
import { EventSource } from 'eventsource'
import { system, type Environment } from '../../lib/client/environment.ts'

/** How many times as fast time goes by. */
const HASTE = 20

const start = Date.now()
const now = () => start + (Date.now() - start) * HASTE

/** Node as a client's environment, with the package `eventsource`, in which time goes by faster. */
export const hastened: Environment = {
  ...system,
  now,
  after: (ms, task) => system.after(ms / HASTE, task),
  base: undefined,
  EventSource,
}

/** The same time for a hub. */
export const hastenedClock: Partial<Clock> = {
  now,
  monotonic: () => performance.now() * HASTE,
  every: (ms, tick) => {
    const timer = setInterval(tick, ms / HASTE).unref()
    return () => clearInterval(timer)
  },
  after: (ms, task) => {
    const timer = setTimeout(task, ms / HASTE).unref()
    return () => clearTimeout(timer)
  },
}
