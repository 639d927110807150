import { judge, type Receiver } from './attempt.ts'
import type { Environment, EventSourceClass, FetchInit } from './environment.ts'

const CLOSED = 2

/**
 * Asks for a stream by an EventSource, until the signal of the request is aborted. It is never left to reconnect by itself:
 * the browser would come back with the same URL, whose ticket has been used, and give up for good on any status but 200.
 *
 * @returns a function that listens for events of another name
 */
export function openByEventSource(
  env: Environment,
  Source: EventSourceClass,
  url: string,
  init: FetchInit,
  to: Receiver,
): (name: string) => void {
  const source = new Source(url, { withCredentials: init.credentials === 'include' })
  // An event without an id of its own shows that of the one before it.
  let lastId = ''
  init.signal.addEventListener('abort', () => source.close())
  source.addEventListener('open', () => to.opened())
  source.addEventListener('error', () => {
    const { readyState } = source
    source.close()
    if (readyState === CLOSED) void ask()
    else to.ended({ reason: 'closed' })
  })
  // An EventSource does not tell why it gave up. A HEAD gets the same status, and uses nothing up.
  const ask = async (): Promise<void> => {
    const response = await env.fetch(url, { ...init, method: 'HEAD' }).catch(() => undefined)
    const end = response && judge(response, env.now())
    // A HEAD does not ask who decides what a stream carries, and some routes know none.
    const isHidden = response !== undefined && (end === undefined || end.reason === 'status 405')
    to.ended(isHidden ? { reason: 'network', isHidden } : (end ?? { reason: 'network' }))
  }
  return name => {
    source.addEventListener(name, ({ data, lastEventId = '' }) => {
      to.sign()
      const id = lastEventId === lastId ? undefined : lastEventId
      lastId = lastEventId
      to.block({ event: name, data: String(data), id })
    })
  }
}
