/** `useChat` of Vercel's AI SDK on a page and on routes as docs/ai-sdk.md has them, on two instances with one Redis. */
import { generateKeyPairSync } from 'node:crypto'
import type { ChildProcess } from 'node:child_process'
import { on } from 'node:events'
import { request } from 'node:http'
import { pipeline } from 'node:stream/promises'
import test, { type ExecutionContext } from 'ava'
import { build } from 'esbuild'
import jwt from 'jsonwebtoken'
import Koa from 'koa'
import type { Page } from 'playwright-core'
import { CHAT_COMPANIONS } from '../readme/chat-companions.ts'
import { compileExamples, removeExamples, runExample, writeExamples, type Example } from '../readme/example.ts'
import { serve } from '../support/http.ts'
import { startRedis } from '../support/redis-server.ts'
import { openTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { openPage } from './chromium.ts'

const { publicKey, privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
})

const MAIN = `
import { createRoot } from 'react-dom/client'
import { ChatPage } from './chat.tsx'

const root = document.querySelector('#root')
const headers = { Authorization: 'Bearer ' + root.dataset.token }
const response = await fetch('/api/chat/c1', { headers })
createRoot(root).render(<ChatPage id="c1" saved={await response.json()} headers={headers} />)
`

let folder: string
let script: string
test.before(async () => {
  folder = await writeExamples({
    ...CHAT_COMPANIONS,
    'keys.ts': `export const publicKey = ${JSON.stringify(publicKey)}\n`,
  })
  await compileExamples(folder)
  const { outputFiles } = await build({
    stdin: { contents: MAIN, loader: 'tsx', resolveDir: folder },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"production"' },
  })
  script = outputFiles[0]?.text ?? ''
})
test.after.always(() => removeExamples(folder))

interface ChatSite {
  readonly page: Page
  readonly cable: TcpProxy
  readonly one: Example
  readonly other: Example
  /** Has an instance answer what is asked from now on. */
  use(instance: Example): void
}

/** Two instances of the example behind one address, and a page of ada's chat. */
async function openChat(t: ExecutionContext): Promise<ChatSite> {
  const redis = await startRedis(t)
  const run = () => runExample(t, folder, 'chat.ts', { REDIS_URL: redis.url })
  const [one, other] = await Promise.all([run(), run()])
  let target = one
  const app = new Koa()
  // Koa would print that a response was cut off, which is what this is about.
  app.silent = true
  app.use(ctx => {
    if (ctx.path.startsWith('/api/')) {
      ctx.respond = false
      handOn(target.url, ctx.req, ctx.res)
    } else if (ctx.path === '/page.js') {
      ctx.type = 'text/javascript'
      ctx.body = script
    } else {
      ctx.type = 'html'
      ctx.body = `<!doctype html><link rel="icon" href="data:,"><div id="root" data-token="${token()}"></div>
        <script type="module" src="/page.js"></script>`
    }
  })
  const { url } = await serve(app, t)
  const cable = await openTcpProxy(Number(new URL(url).port), t)
  const page = await openPage(t, cable.url)
  await page.locator('main').waitFor()
  return { page, cable, one, other, use: instance => (target = instance) }
}

function handOn(target: string, from: Koa.Context['req'], to: Koa.Context['res']): void {
  const upstream = request(target + String(from.url), { method: from.method, headers: from.headers }, answer => {
    to.writeHead(answer.statusCode ?? 500, answer.headers)
    // What is cut off on one side is on the other.
    pipeline(answer, to).catch(() => undefined)
  })
  upstream.on('error', () => to.destroy())
  to.once('close', () => upstream.destroy())
  from.pipe(upstream)
}

function token(): string {
  return jwt.sign({}, privateKey, {
    algorithm: 'RS256',
    subject: 'ada',
    issuer: 'https://login.example.com',
    audience: 'events',
    expiresIn: '1h',
  })
}

/** Asks in the page; resolves when the model of the instance has begun. */
async function ask(page: Page, { process: instance }: Example): Promise<void> {
  const begun = told(instance, 'begun')
  await page.locator('input').fill('Why?')
  await page.getByRole('button', { name: 'Ask' }).click()
  await begun
}

async function told(instance: ChildProcess, what: string): Promise<void> {
  for await (const [message] of on(instance, 'message')) if (message === what) return
}

function say({ process: instance }: Example, ...texts: string[]): void {
  for (const text of texts) instance.send(text)
}

/** Waits until the page shows this answer, and no more of it. */
async function shown(page: Page, answer: string): Promise<void> {
  await page.locator('.assistant').getByText(answer, { exact: true }).waitFor()
}

async function status(page: Page, status: string): Promise<void> {
  await page.locator(`main[data-status="${status}"]`).waitFor()
}

const paragraphs = (page: Page) => page.locator('p').allInnerTexts()

test('useChat: a page that is loaded anew in the middle shows the whole answer once, from another instance', async t => {
  const { page, cable, one, other, use } = await openChat(t)
  await ask(page, one)
  say(one, 'One ', 'two ')
  await shown(page, 'One two')
  use(other)
  await page.goto('about:blank')
  say(one, 'three ')
  await page.goto(cable.url)
  await shown(page, 'One two three')
  say(one, 'four.', '')
  await status(page, 'ready')
  t.deepEqual(await paragraphs(page), ['Why?', 'One two three four.'])
  await page.reload()
  await status(page, 'ready')
  await shown(page, 'One two three four.')
  t.deepEqual(await paragraphs(page), ['Why?', 'One two three four.'])
})

test('useChat: a connection that breaks is resumed when the page is shown again, and the answer is there once', async t => {
  const { page, cable, one } = await openChat(t)
  await ask(page, one)
  say(one, 'One ', 'two ')
  await shown(page, 'One two')
  cable.cut()
  await page.getByRole('alert').waitFor()
  say(one, 'three ')
  cable.mend()
  await page.evaluate(`document.dispatchEvent(new Event('visibilitychange'))`)
  await shown(page, 'One two three')
  say(one, 'four.', '')
  await status(page, 'ready')
  t.deepEqual(await paragraphs(page), ['Why?', 'One two three four.'])
})

test('useChat: its stop and the cancel route stop the model, and a page that is loaded later shows what there was', async t => {
  const { page, cable, one, other, use } = await openChat(t)
  await ask(page, one)
  say(one, 'One ', 'two ')
  await shown(page, 'One two')
  use(other)
  const tab = await page.context().newPage()
  await tab.goto(cable.url)
  await shown(tab, 'One two')
  const stopped = told(one.process, 'stopped')
  const cancelled = page.waitForResponse(response => response.request().method() === 'DELETE')
  await page.getByRole('button', { name: 'Stop' }).click()
  await stopped
  // By then the chat has no run any more.
  await cancelled
  await tab.getByRole('alert').waitFor()
  await status(page, 'ready')
  t.deepEqual(await paragraphs(page), ['Why?', 'One two'])
  await page.reload()
  await shown(page, 'One two')
  await status(page, 'ready')
  t.deepEqual(await paragraphs(page), ['Why?', 'One two'])
})

test('useChat: an instance that is killed ends its answer as an error, in pages on other instances, too', async t => {
  const { page, one, other, use } = await openChat(t)
  await ask(page, one)
  say(one, 'One ', 'two ')
  await shown(page, 'One two')
  use(other)
  await page.reload()
  await shown(page, 'One two')
  one.process.kill('SIGKILL')
  await page.getByRole('alert').waitFor()
  await status(page, 'error')
  t.deepEqual(await paragraphs(page), ['Why?', 'One two', 'The answer was interrupted. Ask again.'])
  await ask(page, other)
  say(other, 'Anew.', '')
  await status(page, 'ready')
  await shown(page, 'Anew.')
})
