import { judge, type Receiver } from './attempt.ts'
import type { Environment, EventSourceClass, FetchInit } from './environment.ts'

/**
 * Opens a stream by EventSource, until the signal of the request is aborted. It never reconnects by itself: the browser
 * would request the same URL, whose ticket has been used, and stop permanently on any status but 200.
 *
 * @returns a function that adds an event name to listen to
 */
export function openByEventSource(
  env: Environment,
  Source: EventSourceClass,
  url: string,
  init: FetchInit,
  to: Receiver,
): (name: string) => void {
  const source = new Source(url, { withCredentials: init.credentials === 'include' })
  // An event without an id has the id of the previous one.
  let lastId = ''
  init.signal.addEventListener('abort', () => source.close())
  source.addEventListener('open', to.opened)
  source.addEventListener('error', () => {
    const { readyState } = source
    source.close()
    // EventSource has stopped permanently.
    if (readyState === 2) void ask()
    else to.ended(['closed'])
  })
  // EventSource does not expose the status. A HEAD gets the same one, and uses up no ticket. But it does not call the
  // resolver, and some routes do not support it (405).
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
