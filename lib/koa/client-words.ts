import type { IncomingMessage } from 'node:http'
import type { Context } from 'koa'
import { takeWord } from './query-parameter.ts'

/** What the library's own client asks for in the query, besides the stream. */
export interface ClientWords {
  /** `heartbeat=event`: heartbeats that a page can see, and numbers that an EventSource keeps to itself. */
  readonly isVisible: boolean
  /** `stream=poll`: an answer that ends with the first events, for networks that hold bytes back until the end. */
  readonly isPoll: boolean
}

const PLAIN: ClientWords = Object.freeze({ isVisible: false, isPoll: false })

const said = new WeakMap<IncomingMessage, ClientWords>()

/** Takes the client's words out of the URL: neither authenticators nor the resolver, nor who logs it, need know of them. */
export function takeClientWords(ctx: Context): void {
  if (!ctx.url.includes('?')) return
  const isVisible = takeWord(ctx, 'heartbeat=event')
  const isPoll = takeWord(ctx, 'stream=poll') && ctx.method === 'GET'
  if (isVisible || isPoll) said.set(ctx.req, { isVisible, isPoll })
}

/** The words that were taken out of the URL of a request. */
export function clientWordsOf({ req }: Context): ClientWords {
  return said.get(req) ?? PLAIN
}
