/** Turbo and htmx on pages as docs/turbo-and-htmx.md has them, which are cut off and go on. */
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { send } from '@koa/send'
import test, { type ExecutionContext } from 'ava'
import Koa from 'koa'
import { createHub, type EventInput, type Hub } from 'koa-event-stream'
import type { Page } from 'playwright-core'
import { ROOT } from '../support/root.ts'
import { openPage } from './chromium.ts'
import { openSite, type Site } from './site.ts'

const require = createRequire(import.meta.url)

/** The folders that the pages load from, by the start of their URL. */
const FOLDERS: Readonly<Record<string, string>> = {
  'koa-event-stream': join(ROOT, 'dist/client'),
  turbo: dirname(require.resolve('@hotwired/turbo')),
  'htmx-2': dirname(require.resolve('htmx.org')),
  'htmx-ext-sse': dirname(require.resolve('htmx-ext-sse')),
  'htmx-4': dirname(require.resolve('htmx-4')),
}

const BLOCK = /^```(?:html\n<!-- (\S+) -->|js\n\/\/ (\S+\.js))\n([\s\S]*?)^```$/gm

interface News extends Site {
  readonly page: Page
  /** Adds a line to what the server renders, and publishes it. */
  say(line: string): Promise<void>
  /** Waits for a line, and answers all that the page shows. */
  shown(line: string): Promise<string[]>
}

/** Serves what the documentation says, and opens a page of it. A line is published between its rendering and its stream. */
async function openNews(t: ExecutionContext, name: string, eventsOf: (html: string) => EventInput[]): Promise<News> {
  const text = await readFile(join(ROOT, 'docs/turbo-and-htmx.md'), 'utf8')
  const files = new Map([...text.matchAll(BLOCK)].map(([, html, script, code]) => [`/${html ?? script}`, code ?? '']))
  const hub = createHub()
  const lines: string[] = []
  const say = async (line: string) => {
    lines.push(line)
    for (const event of eventsOf(`<li>${line}</li>`)) await hub.publish('news', event)
  }
  const app = new Koa()
  app.use(async (ctx, next) => {
    const [, folder = '', file = ''] = ctx.path.split('/')
    const root = FOLDERS[folder]
    const code = files.get(ctx.path)
    if (root !== undefined) await send(ctx, file, { root })
    else if (ctx.path === '/count') ctx.body = `${lines.length} lines`
    else if (code === undefined) await next()
    else if (ctx.path.endsWith('.js')) {
      ctx.type = 'text/javascript'
      ctx.body = code
    } else {
      ctx.type = 'html'
      ctx.body = await render(code, hub, lines)
      await say(`after page ${lines.length}`)
    }
  })
  const site = await openSite(t, { app, hub })
  const page = await openPage(t, `${site.url}/${name}.html`)
  const items = page.locator('#news li')
  const shown = async (line: string) => {
    await items.getByText(line, { exact: true }).waitFor()
    return items.allInnerTexts()
  }
  return { ...site, page, say, shown }
}

async function render(html: string, hub: Hub, lines: readonly string[]): Promise<string> {
  const cursor = await hub.cursor()
  const news = lines.map(line => `<li>${line}</li>`).join('')
  return html.replace('${cursor}', cursor).replace('${news}', news)
}

/** What is published of each line. */
const FRAMEWORKS: Readonly<Record<string, (html: string) => EventInput[]>> = {
  turbo: html => [{ data: `<turbo-stream action="append" target="news"><template>${html}</template></turbo-stream>` }],
  'htmx-2': html => [{ event: 'news', data: html }],
  'htmx-4': html => [{ data: html }, { event: 'counted' }],
}

for (const [name, eventsOf] of Object.entries(FRAMEWORKS)) {
  test(`${name} shows each event once, from when its page was rendered and over a cut`, async t => {
    const { page, cable, say, shown, requests } = await openNews(t, name, eventsOf)
    await shown('after page 0')
    await say('one')
    await shown('one')
    cable.cut()
    await say('two')
    await say('three')
    cable.mend()
    await shown('three')
    await say('four')
    t.deepEqual(await shown('four'), ['after page 0', 'one', 'two', 'three', 'four'])
    t.true(requests.length > 1)
    if (name !== 'turbo') await page.locator('#count').getByText('5 lines').waitFor()
  })
}

test('turbo goes from page to page, and each shows each event once', async t => {
  const { page, say, shown } = await openNews(t, 'turbo', FRAMEWORKS.turbo ?? (() => []))
  const all = await shown('after page 0')
  // A page that the browser loads itself would not count on.
  await page.evaluate('window.loads = 0; addEventListener("turbo:load", () => loads++)')
  const follow = () => page.getByRole('link').click()
  for (const [visit, go] of [follow, follow, () => page.goBack()].entries()) {
    await go()
    await page.waitForFunction(`loads === ${visit + 1}`)
    all.push(`after page ${all.length}`, `on visit ${visit}`)
    await say(`on visit ${visit}`)
    t.deepEqual(await shown(`on visit ${visit}`), all)
  }
})
