import { judge, type Receiver } from './attempt.ts'
import type { Environment, FetchInit } from './environment.ts'
import { Parser } from './parser.ts'

/** Asks for a stream by `fetch`. The answer ends it, and nothing is told any more. */
export function openByFetch(env: Environment, url: string, init: Omit<FetchInit, 'signal'>, to: Receiver): () => void {
  const closing = new AbortController()
  const { signal } = closing
  const read = async (): Promise<void> => {
    const response = await env.fetch(url, { ...init, signal })
    if (signal.aborted) return
    const end = judge(response, env.now())
    if (end !== undefined || response.body === null) {
      // The connection is free for other requests once the body is of no interest to anybody.
      response.body?.cancel().catch(() => undefined)
      to.ended(end ?? { reason: 'closed' })
      return
    }
    to.opened()
    const parser = new Parser(to)
    const decoder = new TextDecoder()
    const reader = response.body.getReader()
    for (;;) {
      const { done, value } = await reader.read()
      if (isOver()) return
      if (done) break
      to.sign()
      parser.push(decoder.decode(value, { stream: true }))
      if (isOver()) return
      await to.room()
    }
    to.ended({ reason: 'closed' })
  }
  // It changes while this waits.
  const isOver = (): boolean => signal.aborted
  read().catch(() => {
    if (!isOver()) to.ended({ reason: 'network' })
  })
  return () => closing.abort()
}
