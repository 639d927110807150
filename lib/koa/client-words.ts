import type { IncomingMessage } from 'node:http'
import type { Context } from 'koa'
import { takeWord } from './query-parameter.ts'

/** Options of this library's own client in the query. */
export interface ClientWords {
  /** `heartbeat=event`: heartbeats as events, and `retry:` in the data of events, both of which a page can read. */
  readonly isVisible: boolean
  /** `stream=poll`: a response that ends with the first events, for networks that buffer responses to their end. */
  readonly isPoll: boolean
}

const PLAIN: ClientWords = Object.freeze({ isVisible: false, isPoll: false })

const said = new WeakMap<IncomingMessage, ClientWords>()

/** Removes these options from the URL: authenticators, the resolver and loggers need not know of them. */
export function takeClientWords(ctx: Context): void {
  if (!ctx.url.includes('?')) return
  const isVisible = takeWord(ctx, 'heartbeat=event')
  const isPoll = takeWord(ctx, 'stream=poll') && (ctx.method === 'GET' || ctx.method === 'HEAD')
  if (isVisible || isPoll) said.set(ctx.req, { isVisible, isPoll })
}

/** The options that were removed from a request's URL. */
export function clientWordsOf({ req }: Context): ClientWords {
  return said.get(req) ?? PLAIN
}
