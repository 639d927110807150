import type { EventStreamMiddleware } from '../koa/middleware.ts'
import type { Fleet } from './fleet.ts'
import type { OpsConfig } from './options.ts'
import { isName } from './question.ts'
import { TRACE_FOR } from './trace-log.ts'
import { viewStream, type Login, type Look } from './view-stream.ts'

/** Traces that are asked for on an instance at once, at most. */
const MOST = 5
// Milliseconds between two looks at what instances have written down.
const EVERY = 1_000

/** The trace of an identity over all instances, for a minute. */
export function traceRoute(config: OpsConfig, fleet: Fleet, login: Login): EventStreamMiddleware {
  const { clock } = config.hub

  const begin = (identity: string, tell: (event: string, data: object) => void): Look => {
    const until = clock.monotonic() + TRACE_FOR
    const question = { ask: 'trace', trace: clock.id(), identity, data: config.eventData } as const
    const known: Record<string, number> = {}
    return async () => {
      const { traces, complete } = await fleet.trace({ ...question, known })
      let dropped = 0
      const entries = [...traces].flatMap(([instance, answer]) => {
        known[instance] = answer.entries.at(-1)?.n ?? known[instance] ?? 0
        dropped += answer.dropped
        return answer.entries.map(entry => ({ instance, ...entry }))
      })
      tell('trace', { entries: entries.sort((a, b) => a.at - b.at), dropped, complete })
      return clock.monotonic() < until ? EVERY : undefined
    }
  }

  return viewStream(config, login, {
    most: MOST,
    actionOf: ({ query: { identity } }) => (isName(identity) ? { type: 'trace', identity } : undefined),
    begin: ({ identity }, tell) => begin(identity, tell),
  })
}
