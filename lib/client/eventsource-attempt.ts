import { judge, type Receiver } from './attempt.ts'
import type { Environment, EventSourceClass } from './environment.ts'

const CLOSED = 2

/** An EventSource that makes one attempt. */
export interface EventSourceAttempt {
  /** Listens for events of a name. */
  listen(name: string): void
  close(): void
}

/**
 * Asks for a stream by an EventSource. It is never left to reconnect by itself: the browser would come back with the same
 * URL, whose ticket has been used, and give up for good on any status but 200.
 */
export function openByEventSource(
  env: Environment,
  Source: EventSourceClass,
  url: string,
  withCredentials: boolean,
  to: Receiver,
): EventSourceAttempt {
  const closing = new AbortController()
  const { signal } = closing
  const source = new Source(url, { withCredentials })
  // An event without an id of its own shows that of the one before it.
  let lastId = ''
  source.addEventListener('open', () => {
    if (!signal.aborted) to.opened()
  })
  source.addEventListener('error', event => {
    // The package `eventsource` fires an event of this name for the connection only; a server's would have data.
    if (signal.aborted || event.data !== undefined) return
    const { readyState } = source
    source.close()
    if (readyState === CLOSED) void ask()
    else to.ended({ reason: 'closed' })
  })
  // An EventSource does not tell why it gave up. A HEAD gets the same status, and uses nothing up.
  const ask = async (): Promise<void> => {
    try {
      const response = await env.fetch(url, {
        method: 'HEAD',
        headers: { Accept: 'text/event-stream' },
        cache: 'no-store',
        credentials: withCredentials ? 'include' : 'same-origin',
        signal,
      })
      const end = judge(response, env.now())
      if (!isOver()) to.ended(end?.reason === 'status 405' ? { reason: 'network' } : (end ?? { reason: 'network' }))
    } catch {
      if (!isOver()) to.ended({ reason: 'network' })
    }
  }
  const isOver = (): boolean => signal.aborted
  return {
    listen(name) {
      source.addEventListener(name, ({ data, lastEventId = '' }) => {
        if (isOver() || typeof data !== 'string') return
        to.sign()
        const id = lastEventId === lastId ? undefined : lastEventId
        lastId = lastEventId
        to.block({ event: name, data, id })
      })
    },
    close() {
      closing.abort()
      source.close()
    },
  }
}
