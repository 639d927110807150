import { judge, type Receiver } from './attempt.ts'
import type { Environment, EventSourceClass, FetchInit } from './environment.ts'

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
  source.addEventListener('open', to.opened)
  source.addEventListener('error', () => {
    const { readyState } = source
    source.close()
    // It has given up.
    if (readyState === 2) void ask()
    else to.ended(['closed'])
  })
  // An EventSource does not tell why. A HEAD gets the same status, and uses nothing up. But it does not ask who decides
  // what a stream carries, and some routes know none (405).
  const ask = async (): Promise<void> => {
    const response = await env.fetch(url, { ...init, method: 'HEAD' }).catch(() => undefined)
    const isAnswer = response && response.status !== 405
    to.ended((isAnswer ? judge(response, env.now()) : undefined) ?? ['network'], true)
  }
  return name =>
    source.addEventListener(name, ({ data, lastEventId }) => {
      to.sign()
      const id = lastEventId === lastId ? undefined : lastEventId
      lastId = lastEventId
      to.block(name, data, id)
    })
}
