import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import type { EventInput } from 'koa-event-stream'
import { startCluster } from '../demo/cluster.ts'
import { Model } from '../demo/model.ts'
import { openSite as openShop, PASSWORDS } from '../demo/site.ts'
import type { Script } from '../relay/script.ts'
import { Deferred } from '../support/deferred.ts'
import { openPage as openChromium } from './chromium.ts'
import type { ObservedStream } from './observed-stream.ts'
import { inBrowsers } from './in-browsers.ts'
import { readAnswer } from './listening.ts'
import type { FullPage, Page } from './page.ts'
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

inBrowsers(
  'the demonstration: a page that is loaded anew in the middle of an answer loses and doubles no word',
  async (t, openPage) => {
    const { model, page, url } = await openAssistant(t, openPage)
    const answer = await ask(page, model)
    answer.say('One ', 'two ')
    await shown(page, 'One two')
    await page.goto('about:blank')
    answer.say('three ')
    await page.goto(url)
    await shown(page, 'One two three')
    answer.say('four.')
    await shown(page, 'One two three four.')
    answer.end()
    t.deepEqual(await ended(page), ['One two three four.'])
    await page.goto(url)
    t.deepEqual(await ended(page), ['One two three four.'])
    t.is(model.answersTo(QUESTION).length, 1)
  },
)

inBrowsers('the demonstration: an answer is stopped in another tab, and both say so', async (t, openPage) => {
  const { model, page, url } = await openAssistant(t, openPage)
  const answer = await ask(page, model)
  answer.say('One ')
  await shown(page, 'One')
  const other = await page.newTab()
  await other.goto(url)
  await shown(other, 'One')
  await click(other, '[data-stop]')
  t.deepEqual(await answer.stopped(), { kind: 'cancelled', reason: 'request' })
  for (const tab of [page, other]) t.deepEqual(await ended(tab), ['One\n\nStopped.'])
})

test('the demonstration: an instance dies in the middle of its answer, and a page that reads it on the other one asks again', async t => {
  const { url, instances } = await startCluster(t)
  const page = await openChromium(t, `${url}/login`)
  await page.evaluate(LOGIN)
  const served = { POST: '', GET: '' }
  page.on('response', response => {
    const [method, { pathname }] = [response.request().method(), new URL(response.url())]
    if (pathname.startsWith('/assistant/answers/') && (method === 'POST' || method === 'GET')) {
      served[method] = response.headers()['x-served-by'] ?? ''
    }
  })
  await page.goto(`${url}/assistant`)
  await page.getByRole('button', { name: 'Tell me the story of coffee' }).click()
  const answer = page.locator('[data-question] .theirs')
  const begun = () => answer.filter({ hasText: 'It begins with' }).waitFor()
  await begun()
  while (served.GET === served.POST) {
    await page.reload()
    await begun()
  }
  process.kill(instances.get(served.POST) ?? 0, 'SIGKILL')
  await answer.getByText('The answer was interrupted.').waitFor()
  // A POST that went to the dead instance would fail, until nginx knows.
  for (let n = 0; n < instances.size; n += 1) await page.evaluate(`fetch('/assistant')`)
  await answer.getByRole('button', { name: 'Ask again' }).click()
  await page.locator('[data-question] [data-done]').waitFor()
  t.regex(await answer.innerText(), /^It begins with goats\.(?!.*It begins with).*the goats are tied up\.$/s)
})

const QUESTION = 'Really?'

const LOGIN = `fetch('/login', {
  method: 'POST',
  body: new URLSearchParams({ username: 'ada', password: '${PASSWORDS.ada}', next: '/' }),
}).then(({ ok }) => ok)`

/** The demo's assistant, with ada logged in. */
async function openAssistant(
  t: ExecutionContext,
  openPage: (url: string) => Promise<FullPage>,
): Promise<{ model: Model; page: FullPage; url: string }> {
  const model = new Model()
  const site = await openShop(t, {}, { answer: model.answer })
  const url = `${site.url}/assistant`
  const page = await openPage(`${site.url}/login`)
  await page.evaluate(LOGIN)
  await page.goto(url)
  return { model, page, url }
}

/** Asks by the form; answers what is to answer. */
async function ask(page: Page, model: Model): Promise<Script> {
  await page.evaluate(`document.querySelector('#question').value = '${QUESTION}'`)
  await click(page, '[data-send]')
  return model.answerTo(QUESTION)
}

async function click(page: Page, selector: string): Promise<void> {
  await page.evaluate(`document.querySelector('${selector}').click()`)
}

/** Waits until the page shows this answer, and no more of it. */
async function shown(page: Page, answer: string): Promise<void> {
  await answersWhen(page, `answers.at(-1)?.innerText.trim() === ${JSON.stringify(answer)}`)
}

/** Waits until all answers have ended, and answers what the page shows of them. */
function ended(page: Page): Promise<string[]> {
  return answersWhen(page, `answers.every(({ dataset }) => 'done' in dataset)`)
}

function answersWhen(page: Page, isSo: string): Promise<string[]> {
  return page.evaluate(`new Promise(resolve => {
    const answers = [...document.querySelectorAll('[data-question] .theirs')]
    const look = () => {
      if (!(${isSo})) return
      observer.disconnect()
      resolve(answers.map(({ innerText }) => innerText.trim()))
    }
    const observer = new MutationObserver(look)
    observer.observe(document, { subtree: true, childList: true, characterData: true, attributes: true })
    look()
  })`)
}

function textOf(stream: ObservedStream): string {
  return stream
    .all('text')
    .map(({ data }) => data)
    .join('')
}

async function textWith(part: string, stream: ObservedStream): Promise<void> {
  while (!textOf(stream).includes(part)) await stream.next('text')
}
