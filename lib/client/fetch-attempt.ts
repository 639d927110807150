import { judge, type Receiver } from './attempt.ts'
import type { Environment, FetchInit } from './environment.ts'
import { createParser } from './parser.ts'

/** Opens a stream by `fetch`, until the signal of the request is aborted. */
export async function openByFetch(env: Environment, url: string, init: FetchInit, to: Receiver): Promise<void> {
  try {
    const response = await env.fetch(url, init)
    const { body } = response
    const end = judge(response, env.now())
    if (end) {
      // Frees the connection for other requests.
      body?.cancel().catch(() => undefined)
      to.ended(end)
      return
    }
    to.opened()
    const parse = createParser(to.block, to.askFor)
    const decoder = new TextDecoder()
    // eslint-disable-next-line @typescript-eslint/no-non-null-assertion -- a status 200 has one
    const reader = body!.getReader()
    for (let read; !(read = await reader.read()).done;) {
      to.sign()
      parse(decoder.decode(read.value, { stream: true }))
      await to.room()
    }
    to.ended(['closed'])
  } catch {
    to.ended(['network'])
  }
}
