import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import type { EventInput } from 'koa-event-stream'
import { Deferred } from '../support/deferred.ts'
import type { ObservedStream } from './observed-stream.ts'
import { inBrowsers } from './in-browsers.ts'
import { readAnswer } from './listening.ts'
import { openSite } from './site.ts'

inBrowsers('the answer to a POST is read word by word, to its end', async (t, openPage) => {
  const seen = new Deferred<undefined>()
  async function* answer(question: string): AsyncGenerator<EventInput> {
    yield { event: 'token', data: question }
    await seen.promise
    yield { event: 'token', data: 'Yes.', id: 'last' }
  }
  const { url, requests } = await openSite(t, {
    stream: { subscribe: async (_stream, ctx) => answer(await text(ctx.req)) },
  })
  const stream = await readAnswer(await openPage(url), '/events', 'Really?')
  await textWith('Really?', stream)
  seen.resolve(undefined)
  await stream.next('end')
  t.is(textOf(stream), ': \nevent: token\ndata: Really?\n\nid: last\nevent: token\ndata: Yes.\n\n')
  t.deepEqual(
    requests.map(({ method, status }) => ({ method, status })),
    [{ method: 'POST', status: 200 }],
  )
})

inBrowsers('an answer stops when its reader leaves the page', async (t, openPage) => {
  const stopped = new Deferred<unknown>()
  async function* endless(signal: AbortSignal): AsyncGenerator<EventInput> {
    try {
      while (true) {
        yield { data: 'and' }
        await setTimeout(5, undefined, { signal })
      }
    } finally {
      stopped.resolve(signal.reason)
    }
  }
  const { hub, url } = await openSite(t, { stream: { subscribe: ({ signal }) => endless(signal) } })
  const page = await openPage(url)
  await textWith('and', await readAnswer(page, '/events', ''))
  await page.goto('about:blank')
  t.is(await stopped.promise, 'client')
  t.is(hub.stats().streams, 0)
})

function textOf(stream: ObservedStream): string {
  return stream
    .all('text')
    .map(({ data }) => data)
    .join('')
}

async function textWith(part: string, stream: ObservedStream): Promise<void> {
  while (!textOf(stream).includes(part)) await stream.next('text')
}
